from pathlib import Path

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import Severity
from reviewbot.evidence.hidden import MOST_IN_A_FILE, find_hidden
from tests.repositories import Sandbox


def found(sandbox: Sandbox, path: str, text: str) -> list[tuple[str, Severity, int]]:
    base = sandbox.commit({path: "first\n"})
    head = sandbox.commit({path: "first\n" + text})
    with Repository(Path(sandbox.folder)) as repository:
        evidence = find_hidden(load_change_set(repository, base, head))
    return [(item.rule, item.severity, item.location.start_line) for item in evidence if item.location]


@pytest.mark.parametrize(
    ("path", "text", "rule", "severity"),
    [
        (
            "a.js",
            "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin admins only */\n",
            "text-direction",
            Severity.HIGH,
        ),
        ("c.py", "access = 'user\u202e' # x\n", "text-direction", Severity.HIGH),
        ("notes.md", "text \u202e turned\n", "text-direction", Severity.LOW),
        ("b.py", "pass\u200bword = 1\n", "invisible-characters", Severity.MEDIUM),
        ("d.js", "const {a, \u3164} = req\n", "invisible-characters", Severity.MEDIUM),
        ("e.go", "func is\u0410dmin() bool { return true }\n", "look-alike-letters", Severity.MEDIUM),
        ("README.md", "hello \U000e0069\U000e0067\U000e006e\U000e006f\n", "invisible-text", Severity.MEDIUM),
    ],
)
def test_what_does_not_read_as_it_runs_is_found_on_its_line(
    sandbox: Sandbox, path: str, text: str, rule: str, severity: Severity
) -> None:
    assert found(sandbox, path, text) == [(rule, severity, 2)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ar.json", '{"hi": "\u0645\u0631\u062d\u0628\u0627\u200f"}\n'),
        ("fa.py", "title = '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'\n"),
        (
            "family.md",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 and \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f\n",
        ),
        ("icons.py", "ok = '\u2714\ufe0f \U0001f44d\U0001f3fd'\n"),
        ("ru.py", "# \u043f\u0438\u0442\u043e\u043d \u0438 Python\n"),
        ("math.py", "\u0394x = 1\n"),
        ("plain.c", "std::vector<int> v;\n"),
    ],
)
def test_prose_emoji_and_other_scripts_say_nothing(sandbox: Sandbox, path: str, text: str) -> None:
    assert found(sandbox, path, text) == []


def test_old_lines_say_nothing_and_a_file_full_of_them_is_not_a_wall(sandbox: Sandbox) -> None:
    assert len(found(sandbox, "a.js", "x = '\u202e'\n" * 100)) == MOST_IN_A_FILE
