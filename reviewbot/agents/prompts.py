"""What each agent is told: our templates around text of the change, which is fenced as data.

The order is tools, system, what the tasks of a run share, the task's own part of the change, the task.
Marks stand where a prefix is sent again, so equal prefixes must have equal bytes.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.rules import CAUSES, CERTAINTY, SECURITY_RULES
from reviewbot.agents.spec import AgentSpec
from reviewbot.agents.view.excerpts import render_file, render_list
from reviewbot.core import ChangeSet, FileChange
from reviewbot.secrets.masking import MASK
from reviewbot.templates import render
from reviewbot.text import cut, visible, visible_line

NOTES_CHARACTERS = 9_000
_MARK = {"cache_control": {"type": "ephemeral"}}


@dataclass(frozen=True, slots=True)
class Fence:
    """Tags around foreign text that nobody who wrote the text could know (THREATS R13)."""

    nonce: str

    def around(self, name: str, text: str) -> str:
        """The text between an opening and a closing tag, each on a line of its own."""
        line_end = "" if text.endswith("\n") else "\n"
        return f"<{name}-{self.nonce}>\n{text}{line_end}</{name}-{self.nonce}>\n"


def draw_fence(texts: Iterable[str], draw: Callable[[], str] = lambda: secrets.token_hex(8)) -> Fence:
    """A fence whose nonce stands in none of the texts; one that does is drawn again."""
    known = list(texts)
    while True:
        nonce = draw()
        if not any(nonce in text for text in known):
            return Fence(nonce)


def foreign_texts(changes: ChangeSet, others: Iterable[str]) -> Iterable[str]:
    """All text of the change that a prompt may hold, and ``others``."""
    for change in changes.files:
        yield change.path
        yield change.old_path or ""
        for hunk in change.hunks:
            yield hunk.heading
            yield from hunk.lines
    yield from others


def render_shared(fence: Fence, changes: ChangeSet, notes: Sequence[tuple[str, str]]) -> str:
    """What every task of a run is shown first: the maintainers' notes and the list of changed files.

    ``notes`` are pairs of path and text, read at the policy commit; together they are cut to a cap.
    """
    parts = []
    if notes:
        text = "\n".join(f"=== {visible_line(path)}\n{visible(content)}" for path, content in notes)
        parts.append("Notes of the maintainers:\n" + fence.around("notes", cut(text, NOTES_CHARACTERS)))
    parts.append("All files of the change, by folder:\n" + fence.around("files", render_list(changes.files)))
    return "\n".join(parts)


def build_triage_prompt(
    spec: AgentSpec, fence: Fence, parts: Sequence[FileChange], *, again: bool = False
) -> Prompt:
    """One batch of files to sort. Nothing of it is sent twice but the system text."""
    task = render(spec.prompt, part="task", count=len({part.path for part in parts}), again=again)
    user = (_text(_change_block(fence, parts)), _text(task))
    return Prompt((_text(_system(spec), marked=True),), user)


def build_security_prompt(
    spec: AgentSpec,
    fence: Fence,
    shared: str,
    parts: Sequence[FileChange],
    *,
    has_siblings: bool,
    around: str = "",
) -> Prompt:
    """One security task; with siblings the shared part is marked, too, for them to read.

    ``around`` are lines of other places that belong to the hunks.
    """
    task = render(spec.prompt, part="task", files=_count({part.path for part in parts}, "file"))
    user = (
        _text(shared, marked=has_siblings),
        _text(_change_block(fence, parts) + _around_block(fence, around), marked=True),
        _text(task),
    )
    return Prompt((_text(_system(spec), marked=True),), user, material=2)


def build_test_fix_prompt(
    spec: AgentSpec,
    fence: Fence,
    shared: str,
    failures: tuple[str, int],
    parts: Sequence[FileChange],
    *,
    tests: str = "",
) -> Prompt:
    """The one task about failed tests. ``failures`` are their text and how many there are.

    ``tests`` are lines of head: the failed tests, and what they use.
    """
    text, count = failures
    material = "\n".join(
        (
            _change_block(fence, parts) + _tests_block(fence, tests),
            "The failures of the test run:\n" + fence.around("failures", text),
        )
    )
    task = render(spec.prompt, part="task", count=count)
    user = (_text(shared), _text(material, marked=True), _text(task))
    return Prompt((_text(_system(spec), marked=True),), user, material=2)


def _system(spec: AgentSpec) -> str:
    return render(
        spec.prompt, part="system", rules=SECURITY_RULES, causes=CAUSES, certainty=dict(CERTAINTY)
    ).strip()


def _change_block(fence: Fence, parts: Sequence[FileChange]) -> str:
    """Hunks in git's form below the header of their file."""
    text = "".join(map(render_file, parts))
    masked = f" ({MASK} stands for a secret that is not shown; a quote keeps it)" if MASK in text else ""
    return f"The hunks{masked}:\n" + fence.around("change", text or "(none)")


def _around_block(fence: Fence, around: str) -> str:
    """Lines found elsewhere; none where one of them holds the fence, which no honest line does."""
    if not around or fence.nonce in around:
        return ""
    return "\nFound in head by a plain search, not complete:\n" + fence.around("around", around)


def _tests_block(fence: Fence, tests: str) -> str:
    """Lines found before they are asked for, under the rule of ``_around_block``."""
    if not tests or fence.nonce in tests:
        return ""
    return "\nFailed tests, and what they use of files they import:\n" + fence.around("tests", tests)


def _count(paths: set[str], noun: str) -> str:
    return f"the {noun}" if len(paths) == 1 else f"the {len(paths)} {noun}s"


def _text(text: str, *, marked: bool = False) -> Mapping[str, Any]:
    return {"type": "text", "text": text, **(_MARK if marked else {})}
