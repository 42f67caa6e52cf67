"""Files of the workspace: patterns of inputs that stay in it, and reports that do not name its folder."""

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reviewbot.action.inputs import InputError
from reviewbot.core import Review
from reviewbot.text import printable


def below(workspace: str, patterns: Sequence[str], name: str) -> tuple[str, ...]:
    """Patterns of the input ``name`` as patterns below the workspace.

    Raises InputError for one that leaves it, by itself or by a link that it matches.
    """
    return tuple(_below(workspace, pattern, name) for pattern in patterns)


def _below(workspace: str, pattern: str, name: str) -> str:
    help_ = "Give patterns of files in the workspace, such as `reports/*.xml`."
    shown = f"`{name}`: {printable(pattern)!r}"
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts or "\0" in pattern:
        raise InputError(f"The input {shown} leads out of the workspace.", help=help_)
    whole, root = str(Path(glob.escape(workspace)) / pattern), os.path.realpath(workspace)
    literal = str(Path(workspace) / pattern)
    for found in (literal, *glob.iglob(whole, recursive=True)):  # noqa: PTH207 - as evidence.files matches
        if not Path(os.path.realpath(found)).is_relative_to(root):
            where = printable(os.path.relpath(found, workspace))
            raise InputError(f"The input {shown} names {where!r}, a link out of the workspace.", help=help_)
    return whole


def below_workspace(review: Review, workspace: str) -> Review:
    """The review whose sentences name files of the workspace without the folder of this runner.

    What a tool wrote stays as it is: only what we say of the evidence files begins with the folder.
    """
    folder = workspace.rstrip("/") + "/"
    if not Path(folder).is_absolute() or folder == "/":
        return review

    def said(text: str) -> str:
        return text.replace(folder, "")

    verdict = review.verdict
    reasons = tuple(replace(reason, detail=said(reason.detail)) for reason in verdict.reasons)
    return replace(
        review,
        verdict=replace(verdict, reasons=reasons),
        notes=tuple(said(note) for note in review.notes),
        rejected=tuple(replace(each, why=said(each.why)) for each in review.rejected),
    )
