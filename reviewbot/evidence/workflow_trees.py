"""Workflows and actions as YAML reads them, each parsed once and only when somebody asks."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reviewbot.evidence.sources import Source, clean, unfold

if TYPE_CHECKING:
    from reviewbot.evidence.checkouts import Workflow

_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # YAML 1.1, which zizmor's parser and GitHub's follow
_NOT_YAML = str.maketrans("\x0b\x0c", "  ")
_TREE_CHARACTERS = 1024 * 1024
"""Text that is parsed as YAML in one run; PyYAML takes some seconds for it."""


def yaml_text(source: Source) -> tuple[str, Sequence[int]]:
    """The file as YAML reads it, every line ended by a line feed, and the map back to our lines."""
    text, ours = unfold(source.lines, _BREAKS)
    return text.translate(_NOT_YAML), ours


class WorkflowTrees:
    """Files as YAML nodes, each parsed once and only when asked for; ``problems``: path to reason."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self._known: dict[str, Workflow | None] = {}
        self._left = _TREE_CHARACTERS

    def get(self, source: Source) -> "Workflow | None":
        """The root, or None where there is no reading it, which is then one of the problems."""
        if source.path not in self._known:
            self._known[source.path] = self._parse(source)
        return self._known[source.path]

    def _parse(self, source: Source) -> "Workflow | None":
        from reviewbot.evidence.checkouts import parse_workflow  # noqa: PLC0415 - needs PyYAML

        text, _ = yaml_text(source)
        self._left -= len(text)
        try:
            if self._left < 0:
                raise ValueError("the workflows of this change are too large together")
            return parse_workflow(text)
        except ValueError as error:
            self.refuse(source, error)
            return None

    def refuse(self, source: Source, why: ValueError) -> None:
        """Note that the checkouts and expressions of a file could not be judged."""
        self.problems[source.path] = f"its checkouts and expressions could not be judged: {clean(why, 200)}"
