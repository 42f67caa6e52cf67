"""What the change touches that a person should look at, whatever its lines say.

THREATS R06 as we read it: versions in head are never loaded, so such a change cannot weaken this
review; it can weaken the next one.
"""

import re

from reviewbot.core import ChangeSet, Evidence, FileChange, Location, Severity
from reviewbot.settings import POLICY_PATH

MOST_NAMES = 5
_AGENT_CONFIG = re.compile(
    r"(?:^|/)(?:AGENTS\.md|CLAUDE\.md|GEMINI\.md|\.mcp\.json|\.cursorrules|\.windsurfrules|\.aider\.conf\.yml)$"
    r"|(?:^|/)\.(?:claude|cursor|codex|gemini|windsurf)/|^\.github/(?:copilot-instructions\.md|reviewbot-notes\.md|agents/|prompts/)",
    re.IGNORECASE,
)


def call_attention(changes: ChangeSet) -> tuple[Evidence, ...]:
    """Advisory evidence for submodules, the policy, and agent configuration: one of each kind and place.

    Workflows have an analyzer of their own, so a change to one is not announced twice.
    """
    found = [_submodule(change) for change in changes.files if change.is_submodule]
    policy = [change for change in changes.files if POLICY_PATH in _paths(change)]
    title = "The review policy changes: the next reviews follow it, so a person must agree"
    found += _notice(policy, "policy-changed", Severity.HIGH, title)
    agents = [change for change in changes.files if any(map(_AGENT_CONFIG.search, _paths(change)))]
    title = "Instructions for coding agents change: later agent runs will follow them"
    return (*found, *_notice(agents, "agent-config-changed", Severity.MEDIUM, title))


def _paths(change: FileChange) -> set[str]:
    return {change.path, change.old_path or change.path}


def _submodule(change: FileChange) -> Evidence:
    old, new = (sha[:12] if sha else "nothing" for sha in (change.base_blob, change.head_blob))
    title = f"Submodule moves from {old} to {new}; its content is not part of this review"
    return Evidence(
        id=f"reviewbot:submodule:{change.path}",
        source="analyzer",
        tool="reviewbot",
        rule="submodule-changed",
        severity=Severity.LOW,
        title=title,
        message=ascii(change.path)[1:-1],
        advisory=True,
    )


def _notice(changes: list[FileChange], rule: str, severity: Severity, title: str) -> list[Evidence]:
    """One notice for all files of a kind, at the first line that the change added to one of them."""
    if not changes:
        return []
    placed = next((change for change in changes if change.added), None)
    names = [ascii(change.path)[1:-1] for change in changes]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    line = placed.added[0][0] if placed else 0
    notice = Evidence(
        id=f"reviewbot:{rule}",
        source="analyzer",
        tool="reviewbot",
        rule=rule,
        severity=severity,
        title=title,
        message=", ".join(names[:MOST_NAMES]) + more,
        location=Location(placed.path, line, line) if placed else None,
        advisory=True,
    )
    return [notice]
