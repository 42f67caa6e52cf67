from pathlib import Path

import pytest

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import Severity
from reviewbot.evidence.hidden import MOST_IN_A_FILE, find_hidden
from tests.repositories import Sandbox


def found(sandbox: Sandbox, path: str, text: str) -> list[tuple[str, Severity, int]]:
    base = sandbox.commit({path: "first\n"})
    return hidden_between(sandbox, base, sandbox.commit({path: "first\n" + text}))


def hidden_between(sandbox: Sandbox, base: str, head: str) -> list[tuple[str, Severity, int]]:
    with Repository(Path(sandbox.folder)) as repository:
        evidence = find_hidden(load_change_set(repository, base, head), repository.read_object)
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


def test_many_harmless_signs_hide_no_turned_text(sandbox: Sandbox) -> None:
    rules = [rule for rule, _, _ in found(sandbox, "a.js", "x\u0430 = 1\n" * 100 + "y = '\u202e'\n")]
    assert rules.count("text-direction") == 1


def test_text_in_utf_16_is_searched_too(sandbox: Sandbox) -> None:
    text = "first\nallow() # \u202e }\n".encode("utf-16")
    base = sandbox.commit({"a.js": "x\n"})
    head = sandbox.commit({"run.ps1": text})
    assert hidden_between(sandbox, base, head) == [("text-direction", Severity.HIGH, 2)]


def test_the_old_lines_of_a_file_that_leaves_an_excluded_folder_are_searched_once(sandbox: Sandbox) -> None:
    lines = "".join(f"line{number}()\n" for number in range(20))
    base = sandbox.commit({"vendor/a.js": lines + "allow() // \u202e }\n"})
    sandbox.remove("vendor/a.js")
    head = sandbox.commit({"src/a.js": "deny() // \u202e\n" + lines + "allow() // \u202e }\n"})
    turned = [("text-direction", Severity.HIGH, line) for line in (1, 22)]
    assert hidden_between(sandbox, base, head) == turned


@pytest.mark.parametrize(
    ("path", "rule", "severity"),
    [
        ("src/run\u202eyp.py", "text-direction", Severity.HIGH),
        ("p\u0430yments.py", "look-alike-letters", Severity.MEDIUM),
        ("pay\u200bments.py", "invisible-characters", Severity.MEDIUM),
        ("notes\u202e.md", "text-direction", Severity.LOW),
    ],
)
def test_the_name_of_a_new_file_is_looked_at_too(
    sandbox: Sandbox, path: str, rule: str, severity: Severity
) -> None:
    base = sandbox.commit({"a.py": "x\n"})
    head = sandbox.commit({path: "x = 1\n"})
    assert hidden_between(sandbox, base, head) == [(rule, severity, 1)]
    assert hidden_between(sandbox, head, sandbox.commit({path: "x = 2\n"})) == []
