"""A fix as one of GitHub's suggestion blocks: at its lines, or not at all. Pure (THREATS R16).

One click commits it, so it is written only where the base branch's policy wants suggestions, for edits that
are part of the reviewed patch, whose lines all stand in one hunk, and never for files that steer a pipeline.
"""

import re
from dataclasses import dataclass
from io import BytesIO

from reviewbot.change.diff import parse_diff
from reviewbot.core import ChangeStatus, FileChange, Finding, Hunk, Location, Review
from reviewbot.errors import ReviewbotError
from reviewbot.publish.patch import AGENT
from reviewbot.text import visible

MOST_LINES = 10
"""More is a patch, not a suggestion."""

_STEERING = re.compile(r"(?:^|/)\.|(?:^|/)(?:AGENTS|CLAUDE|GEMINI)\.md$", re.IGNORECASE)
"""Hidden files and folders (workflows, the policy, settings of tools) and instructions of coding agents."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Head lines that a comment is attached to, and what one click puts there."""

    location: Location
    text: str

    @property
    def block(self) -> str:
        """The fence that GitHub turns into a button; nothing inside can close it."""
        ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", self.text)), default=0))
        return f"{ticks}suggestion\n{self.text}{ticks}"


def suggest(review: Review, finding: Finding, change: FileChange | None) -> Suggestion | None:
    """The suggestion for a finding's edits, or None where there must be none."""
    edits = finding.evidence.edits
    wanted = review.suggests and review.shows_fix and review.patch
    if not (wanted and edits and finding.evidence.tool == AGENT) or change is None:
        return None
    if {edit.path for edit in edits} != {change.path} or _STEERING.search(change.path):
        return None
    if change.status in (ChangeStatus.TYPE_CHANGED, ChangeStatus.COPIED):
        return None
    found = [made for hunk in change.hunks if (made := _in_hunk(finding, change.path, hunk))]
    return found[0] if len(found) == 1 and _is_in_patch(found[0], review.patch) else None


def _in_hunk(finding: Finding, path: str, hunk: Hunk) -> Suggestion | None:
    """The suggestion, if all edits fall into the head lines of this hunk."""
    lines = [line[1:] for line in hunk.lines if line[:1] in (" ", "+")]
    before = "".join(f"{line}\n" for line in lines)
    after = before
    for edit in finding.evidence.edits:
        if not edit.find or after.count(edit.find) != 1:
            return None
        after = after.replace(edit.find, edit.replace)
    new = after.split("\n")[:-1]
    if not after.endswith("\n") or "\r" in after or visible(after) != after or new == lines:
        return None
    first, last, put = _narrow(lines, new)
    if last - first >= MOST_LINES or len(put) > 2 * MOST_LINES:
        return None
    location = Location(path, hunk.head_start + first, hunk.head_start + last)
    return Suggestion(location, "".join(f"{line}\n" for line in put))


def _narrow(old: list[str], new: list[str]) -> tuple[int, int, list[str]]:
    """The first and last old line that change, from 0, and what stands there then; at least one line."""
    first = 0
    while first < min(len(old), len(new)) - 1 and old[first] == new[first]:
        first += 1
    end, stop = len(old), len(new)
    while end - 1 > first and stop > first and old[end - 1] == new[stop - 1]:
        end, stop = end - 1, stop - 1
    return first, end - 1, new[first:stop]


def _is_in_patch(made: Suggestion, patch: bytes) -> bool:
    """Whether the patch, which was reviewed, makes of these lines just what the suggestion does.

    The edits of a finding may have been left out of it, and another finding may edit the same lines.
    """
    first, last = made.location.start_line, made.location.end_line
    try:
        [hunks] = [file.hunks for file in parse_diff(BytesIO(patch)) if file.path == made.location.path]
    except (ReviewbotError, ValueError):
        return False
    return any(_patched(hunk, first, last) == made.text for hunk in hunks)


def _patched(hunk: Hunk, first: int, last: int) -> str | None:
    """What a hunk of the patch leaves of lines of head, with what comes in between, before and after them.

    What comes in after a line that goes stands for that line, and not before the next one. None: the hunk
    does not hold them all.
    """
    if not hunk.base_start <= first <= last < hunk.base_start + hunk.base_count:
        return None
    kept: list[str] = []
    at, before = hunk.base_start, ""
    for line in hunk.lines:
        is_ours = False
        if line[:1] == "+":
            is_ours = first < at <= last + 1 or (at == first and before != "-")
        elif line[:1] in ("-", " "):  # not the remark that a file ends without a line feed
            is_ours = line[:1] == " " and first <= at <= last
            at, before = at + 1, line[:1]
        kept += [f"{line[1:]}\n"] if is_ours else []
    return "".join(kept)
