"""Who looks at what: pure rules between triage's answer, the floor below it, and the tasks."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.view.excerpts import (
    batch_files,
    estimate_tokens,
    is_withheld_change,
    render_file,
)
from reviewbot.agents.view.neighbours import beside_imports
from reviewbot.change.content import with_whole_text
from reviewbot.claims import Claim, Quote, Task
from reviewbot.core import ChangeSet, Evidence, FileChange, Sha
from reviewbot.errors import RepositoryError
from reviewbot.text import cut_middle, one_line, visible, visible_line

TRIAGE_TOKENS = 80_000
TRIAGE_FILES = 100
"""An entry of triage's answer has some 60 tokens, and an answer has a bound, too."""

MATERIAL_SHARE = 0.55
"""How much of a task's context its hunks may fill: the rest is for instructions and what tools bring."""

SMALLEST_SPLIT_TOKENS = 300
"""What is smaller than this was not what filled a model's context."""

TASK_FILES = 30
"""Parts of files in one security task: each may bring findings, and an answer has a bound."""

DELETED_LINES = 600
"""So much of a file that is gone the dear models are shown; the tools read the rest in the base commit."""

FAILURES_BYTES = 45_000
TRACE_CHARACTERS = 5_000
RISKS = ("none", "low", "medium", "high")
CLOSE_LOOK = ("medium", "high")
REASON_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Readable:
    """The files that agents read, those they cannot (with the reason), those whose content is withheld."""

    files: tuple[FileChange, ...]
    failed: Mapping[str, str]
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What triage said of a file."""

    risk: str
    reason: str
    agents: frozenset[str]

    def merged(self, other: "Entry") -> "Entry":
        """The higher risk with its reason, and the agents of both: a file may come in parts."""
        worst = max(self, other, key=lambda entry: RISKS.index(entry.risk))
        return replace(worst, agents=self.agents | other.agents)


def select_readable(changes: ChangeSet, excluded: Collection[str], read: Callable[[Sha], bytes]) -> Readable:
    """The files with lines to read. What has none (a pure rename, a submodule) is not in it.

    Files of which the change set itself says that they could not be read are left to the ledger.
    """
    files, failed, withheld = [], {}, []
    names = Counter(visible_line(change.path) for change in changes.files)
    for change in changes.files:
        if change.path in excluded or change.omitted or change.is_submodule or change.is_binary:
            continue
        if change.hunks and names[visible_line(change.path)] > 1:
            failed[change.path] = (
                "the name of another changed file looks the same, so no answer tells them apart"
            )
            continue
        if is_withheld_change(change):
            withheld.append(change.path)
            continue
        try:
            whole = with_whole_text(change, read)
        except RepositoryError as error:
            failed[change.path] = one_line(str(error), 200)
            continue
        if whole.hunks:
            files.append(whole)
    return Readable(tuple(files), failed, tuple(withheld))


def plan_triage(files: Sequence[FileChange], *, smaller: bool = False) -> list[tuple[FileChange, ...]]:
    """The files in batches for triage; ``smaller`` for those that a first request did not answer."""
    share = 2 if smaller else 1
    most = max(1, min(TRIAGE_FILES, len(files)) // share)
    return batch_files(files, TRIAGE_TOKENS // share, most)


def tell_of_tests(prompt: Prompt, failures: int) -> Prompt:
    """The prompt of a triage batch with what is known of the tests, which decides about test_fix."""
    noun = "test" if failures == 1 else "tests"
    known = f"{failures} {noun} of this change failed." if failures else "No test is known to have failed."
    then = "" if failures else " Name test_fix for no file."
    return replace(prompt, user=(*prompt.user, {"type": "text", "text": known + then}))


def plan_security(files: Sequence[FileChange], context_tokens: int) -> list[tuple[FileChange, ...]]:
    """The security tasks, riskiest first, files of one folder together, beside those that it imports."""
    shown = [shorten(change) for change in beside_imports(files)]
    return batch_files(shown, int(context_tokens * MATERIAL_SHARE), TASK_FILES)


def split_batch(parts: Sequence[FileChange]) -> list[tuple[FileChange, ...]]:
    """The parts in batches of about half the size; one batch where there is nothing to split."""
    tokens = sum(estimate_tokens(render_file(part)) for part in parts)
    return batch_files(parts, max(tokens // 2, SMALLEST_SPLIT_TOKENS), -(-len(parts) // 2))


def shorten(change: FileChange) -> FileChange:
    """A file that is gone with its first lines only, for the dear models; any other file as it is."""
    if change.head_blob is not None or hidden_lines(change) <= 0:
        return change
    lines = change.hunks[0].lines[:DELETED_LINES]
    return replace(change, hunks=(replace(change.hunks[0], base_count=len(lines), lines=lines),))


def hidden_lines(change: FileChange) -> int:
    """How many lines of a file that is gone only triage is shown."""
    is_gone = change.head_blob is None and bool(change.hunks)
    return max(0, change.deleted_lines - DELETED_LINES) if is_gone else 0


def failed_tests(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The evidence of test reports."""
    return tuple(item for item in evidence if item.source == "junit")


def render_failures(failures: Sequence[Evidence]) -> tuple[str, tuple[Evidence, ...]]:
    """The failed tests as text, equal messages together, and those that found room in it."""
    groups: dict[str, list[Evidence]] = {}
    for item in failures:
        said = re.sub(r"\d+", "0", one_line(item.message or item.title, 300))
        groups.setdefault(said, []).append(item)
    texts: list[str] = []
    shown: list[Evidence] = []
    left = FAILURES_BYTES
    for group in groups.values():
        heads = "".join(_failure_head(item) for item in group)
        first = group[0]
        parts = (
            first.message if first.message.strip() not in f"{first.title}\n{first.trace}" else "",
            first.trace,
        )
        said = visible(cut_middle("\n".join(filter(None, parts)), TRACE_CHARACTERS))
        text = f"{heads}{said}\n\n"
        left -= len(text.encode("utf-8", "replace"))
        if left < 0 and shown:
            break
        texts.append(text)
        shown += group
    return "".join(texts), tuple(shown)


def _failure_head(item: Evidence) -> str:
    place = item.location
    # A report that names no line is given to us as line 1, where no test stands.
    line = f":{place.start_line}" if place and place.start_line > 1 else ""
    where = f" at {visible_line(place.path)}{line}" if place else ""
    return f"--- {one_line(item.id, 100)}: {one_line(item.title, 300)}{where}\n"


def plan_test_fix(
    files: Sequence[FileChange],
    failures: Sequence[Evidence],
    entries: Mapping[str, Entry],
    budget_tokens: int,
) -> tuple[FileChange, ...]:
    """The changed files to show beside the failures, the likeliest causes first, as many as fit."""
    named = {place.path for item in failures for place in (item.location, *item.related) if place}
    text = "\n".join(f"{item.title}\n{item.message}\n{item.trace}" for item in failures)

    def likely(change: FileChange) -> tuple[bool, bool, bool]:
        name = change.path.rsplit("/", 1)[-1]
        entry = entries.get(change.path)
        called = entry is not None and "test_fix" in entry.agents
        return (change.path not in named, name not in text, not called)

    shown: list[FileChange] = []
    left = budget_tokens
    for change in map(shorten, sorted(files, key=likely)):
        tokens = estimate_tokens(render_file(change))
        if tokens <= left:
            shown.append(change)
            left -= tokens
    return tuple(shown)


def read_entries(answer: object, batch: Iterable[FileChange]) -> dict[str, Entry]:
    """What a triage answer says of the files that were asked for; anything else in it counts for nothing."""
    known = {visible_line(part.path): part.path for part in batch}
    found: dict[str, Entry] = {}
    for said in getattr(answer, "files", ()):
        path = known.get(said.path)
        if path is not None:
            agents = frozenset(agent.value for agent in said.agents)
            entry = Entry(said.risk.value, one_line(said.reason, REASON_CHARACTERS), agents)
            found[path] = entry.merged(found[path]) if path in found else entry
    return found


def restore_names(claim: Claim, changes: ChangeSet, task: Task) -> Claim:
    """The claim with git's own paths where hidden characters were spelled out, and only the task's ids."""
    paths = {
        visible_line(path): path
        for change in changes.files
        for path in (change.old_path, change.path)
        if path
    }

    def restore(quote: Quote) -> Quote:
        return replace(quote, path=paths.get(quote.path, quote.path))

    return replace(
        claim,
        quotes=tuple(map(restore, claim.quotes)),
        edits=tuple(replace(edit, path=paths.get(edit.path, edit.path)) for edit in claim.edits),
        evidence_ids=tuple(name for name in claim.evidence_ids if name in task.evidence_ids),
    )
