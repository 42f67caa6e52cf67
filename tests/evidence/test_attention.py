from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Location, Severity
from reviewbot.evidence.attention import call_attention


def change(path: str, *, old_path: str | None = None, mode: str = "100644", added: bool = True) -> FileChange:
    lines = ((3, 4),) if added else ()
    return FileChange(path, old_path, ChangeStatus.MODIFIED, mode, mode, "a" * 40, "b" * 40, added=lines)


def changes(*files: FileChange) -> ChangeSet:
    return ChangeSet("a" * 40, "b" * 40, files)


def test_ordinary_files_call_for_nobody() -> None:
    assert (
        call_attention(changes(change("src/app.py"), change(".github/workflows/ci.yml"), change("claude.py")))
        == ()
    )


def test_a_submodule_names_both_commits() -> None:
    [notice] = call_attention(changes(change("lib", mode="160000")))
    assert notice.title.startswith("Submodule moves from aaaaaaaaaaaa to bbbbbbbbbbbb")
    assert notice.advisory
    assert notice.location is None


def test_a_change_of_the_policy_is_high_and_advisory_until_it_can_be_dismissed() -> None:
    for one in (
        change(".github/reviewbot.yml"),
        change("gone.yml", old_path=".github/reviewbot.yml", added=False),
    ):
        [notice] = call_attention(changes(one))
        assert (notice.rule, notice.severity, notice.advisory) == ("policy-changed", Severity.HIGH, True)


def test_agent_configuration_is_one_notice_however_many_files() -> None:
    names = [
        "CLAUDE.md",
        "sub/AGENTS.md",
        ".mcp.json",
        ".claude/skills/x/SKILL.md",
        ".cursor/rules",
        ".github/agents/a.md",
        ".github/reviewbot-notes.md",
    ]
    [notice] = call_attention(changes(*map(change, names)))
    assert notice.location == Location("CLAUDE.md", 3, 3)
    assert notice.message.endswith(".cursor/rules and 2 more")
