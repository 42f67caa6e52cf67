"""Text that speaks of a pull request's head: what stands for it, and which commands bring it into a run.

Nothing here needs YAML. All lines count from 1.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from reviewbot.evidence.workflow_expressions import fold_expressions

MAXIMUM_ORIGINS = 50
# Each pattern looks at text with single blanks, in lower case, and none takes more than linear time.
_REPOSITORY = r"(?: (?:-r ?|--repo[ =])\S{1,200}){0,2}"
_HEAD_DIFF = re.compile(rf"\bgh{_REPOSITORY} pr{_REPOSITORY} diff\b")
HEAD = re.compile(
    r"pull_request\.(?:head\b|merge_commit_sha|diff_url|patch_url)"
    r"|github\.event\.after\b|github\.head_ref|\bgithub_head_ref\b"
    r"|workflow_run\.(?:head_sha|head_branch|head_commit|head_repository|pull_requests)"
    r"|\bhead\.(?:sha|ref|repo|label)\b|\bheadref(?:name|oid)|\bheadrepository"
    rf"|{_HEAD_DIFF.pattern}"
    r"|\brefs/pull/|\bpull/[$%]|\bpull/[^\s/]{1,100}/(?:head|merge)\b"
)
_TOKEN = r"(?:\"[^\"]{0,200}\"|'[^']{0,200}'|[^\s\"']\S{0,200})"  # noqa: S105 - a word of a command line
_GIT = re.compile(
    rf"\bgit(?:\.exe)?(?: (?:-c|--git-dir|--work-tree) {_TOKEN}| --?[\w-]+(?:=\S{{0,200}})?){{0,6}} "
    r"(?:fetch|pull|clone|checkout|switch|merge|worktree|reset|restore|rebase|cherry-pick|apply|am"
    r"|remote add|remote set-url|submodule)(?![\w-])"
)
_GH_CHECKOUT = re.compile(rf"\bgh{_REPOSITORY} pr{_REPOSITORY} (?:checkout|co)\b")
_DOWNLOAD = re.compile(r"\b(?:curl|wget|iwr|invoke-webrequest|gh api|gh repo clone)\b")
_USED = re.compile(r"\| ?(?:sudo )?(?:git|patch|(?:ba|da|z)?sh|python3?|node|tar|pwsh|iex)\b")
_APPLIED = re.compile(r"\bgit(?:\.exe)? (?:apply|am)\b|\bpatch -|\bpatch <")
_OUTPUT = re.compile(r"\bsteps\.[\w-]+\.outputs\b|\bneeds\.[\w-]+\.outputs\.[\w-]+")
_ARCHIVE = re.compile(r"\barchive\b|\btarball\b|\bzipball\b|\bcodeload\b|\bgh repo clone\b")
NAMES = re.compile(r"\$(?:\{env:|env:|\{)?(\w+)|%(\w+)%|\benv\.(\w+)")
_ASSIGNED = re.compile(r"\b(\w+) ?=(?!=)|\bread (?:-\w+ )?(\w+)")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")


@dataclass(frozen=True, slots=True)
class Checkout:
    """Lines that bring the pull request's code into a run.

    ``certain`` is False for a guess (the revision is computed elsewhere); ``guarded`` tells that an
    ``if:`` keeps outsiders out; ``origins`` are the lines of the ``env`` values and outputs that name it.
    """

    first: int
    last: int
    certain: bool = True
    guarded: bool = False
    origins: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """The text of an ``env`` entry, and the line of its name."""

    text: str
    line: int


class Tainted:
    """The names that stand for a head of a pull request."""

    def __init__(self, matrix: bool, knows_head: bool) -> None:
        self.matrix, self.knows_head = matrix, knows_head
        self.names: dict[str, tuple[int, ...]] = {}
        self.outputs: dict[str, tuple[int, ...]] = {}
        self.needs: dict[str, tuple[int, ...]] = {}
        """``steps.ID.outputs`` and ``needs.JOB.outputs.NAME`` that hold a head, with their lines."""

    def inside(self, *, matrix: bool, knows_head: bool) -> "Tainted":
        """The same in a job, which has a matrix, text and outputs of its own; what it needs is shared."""
        inner = Tainted(matrix, self.knows_head or knows_head)
        inner.names, inner.needs = self.names, self.needs
        return inner

    def within(self, env: Mapping[str, Value]) -> "Tainted":
        """The same in a narrower place with its own ``env``."""
        if not env:
            return self
        inner = Tainted(self.matrix, self.knows_head)
        folded = {name: fold_expressions(value.text) for name, value in env.items()}
        inner.names, inner.outputs = dict(self.names), self.outputs
        inner.needs = self.needs
        told = {
            name: origins for name, text in folded.items() if (origins := inner.origins(text)) is not None
        }
        for name in env:
            inner.names.pop(name, None)
        inner.names.update((name, (env[name].line, *origins)) for name, origins in told.items())
        for name, text in folded.items():  # a value may name another one of the same env
            if name not in told and (origins := inner.origins(text)) is not None:
                inner.names[name] = (env[name].line, *origins)
        return inner

    def origins(self, text: str) -> tuple[int, ...] | None:
        """The lines that a folded text takes the head from (none: it names it itself), or None."""
        named = [self.names[name] for name in names_in(text) if name in self.names]
        for name in _OUTPUT.findall(text):
            known = self.needs if name.startswith("needs.") else self.outputs
            named += [known[name]] if name in known else []
        if named:
            return bounded({line for lines in named for line in lines})
        return () if HEAD.search(text) or (self.matrix and "matrix." in text) else None


def bounded(lines: Set[int]) -> tuple[int, ...]:
    """The lines in order; raises ValueError, whose message is a clause, where there are too many."""
    if len(lines) > MAXIMUM_ORIGINS:
        raise ValueError(f"a revision comes from more than {MAXIMUM_ORIGINS} lines")
    return tuple(sorted(lines))


def judge_script(
    lines: Sequence[tuple[int, int, str]], tainted: Tainted, *, guarded: bool
) -> Iterator[Checkout]:
    """The command lines (first line, last line, folded text) that bring in the head."""
    local: dict[str, tuple[int, ...]] = dict(tainted.names)
    guesses: list[Checkout] = []
    knows_head = fetched = False
    for first, last, line in lines:
        origins = tainted.origins(line)
        named = [local[name] for name in names_in(line) if name in local]
        linked = bounded({*(origins or ()), *(number for numbers in named for number in numbers)})
        has_head = origins is not None or bool(named)
        if has_head:
            local.update((name, linked) for pair in _ASSIGNED.findall(line) for name in pair if name)
        knows_head = knows_head or has_head
        download = _DOWNLOAD.search(line)
        downloads = download and (_ARCHIVE.search(line) or _USED.search(line))
        fetched = fetched or bool(has_head and (download or _HEAD_DIFF.search(line)))
        brings = has_head and (_GIT.search(line) or downloads)
        if _GH_CHECKOUT.search(line) or brings or (fetched and _APPLIED.search(line)):
            yield Checkout(first, last, True, guarded, linked)
        elif "$" in line and (_GIT.search(line) or downloads):
            guesses.append(Checkout(first, last, False, guarded))
    if knows_head:
        yield from guesses


def logical_lines(rows: Sequence[str], number: int) -> list[tuple[int, int, str]]:
    """First line, last line and folded text of each command line, without comments."""
    found: list[tuple[int, int, str]] = []
    held: list[str] = []
    for last, row in enumerate(rows, number):
        text = _without_comment(row).rstrip()
        goes_on = text.endswith("\\") or (text.endswith("`") and text.count("`") % 2 == 1)
        held.append(text[:-1] if goes_on else text)
        if not goes_on or last == number + len(rows) - 1:
            found.append((last - len(held) + 1, last, fold_expressions(" ".join(held))))
            held = []
    return found


def _without_comment(row: str) -> str:
    """Up to the first ``#`` that begins a word outside quotes; where quotes do not pair up, all of it."""
    doubles = singles = at = 0
    for found in _COMMENT.finditer(row):
        doubles += row.count('"', at, found.start())
        singles += row.count("'", at, found.start())
        at = found.start()
        if doubles % 2 == 0 and singles % 2 == 0:
            return row[:at]
    return row


def names_in(line: str) -> Iterator[str]:
    """The variables that a folded line reads, in the spellings of shells and of ``env``."""
    return (name for names in NAMES.findall(line) for name in names if name)
