import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import Conclusion, Location, Severity, Side, Suppression
from reviewbot.publish.annotations import render_annotations
from tests.publish import finding, review, rich_review


@dataclass
class Command:
    name: str
    properties: dict[str, str]
    text: str


def run(printed: str) -> list[Command]:
    """What a runner would do with these lines; https://github.com/actions/runner, ActionCommand.cs."""
    commands = []
    for line in printed.splitlines():  # the runner splits at more than line feeds
        assert "##[" not in line
        found = re.fullmatch(r"::([a-z-]+) ?(.*?)::(.*)", line.lstrip())
        assert found, f"{line!r} is no command"
        pairs = (pair.partition("=") for pair in found[2].split(",") if pair)
        properties = {key: undo(value, {"%3A": ":", "%2C": ","}) for key, _, value in pairs}
        commands.append(Command(found[1], properties, undo(found[3], {})))
    return commands


def undo(text: str, more: dict[str, str]) -> str:
    for escaped, char in ({"%0D": "\r", "%0A": "\n"} | more | {"%25": "%"}).items():
        text = text.replace(escaped, char)
    return text


def test_what_blocks_is_an_error_and_the_rest_a_warning() -> None:
    made = review(finding(1, message="Pass a list."), finding(2, Severity.MEDIUM), blocking=1)
    error, warning, notice = run(render_annotations(made))
    assert error == Command(
        "error",
        {"file": "app/run.py", "line": "10", "endLine": "10", "title": "high: ruff/S602"},
        "`subprocess` call with `shell=True` identified, security issue. Pass a list.",
    )
    assert (warning.name, warning.properties["line"]) == ("warning", "20")
    assert notice == Command("notice", {"title": "reviewbot"}, "fail: 1 finding blocks this change.")


def test_a_clean_review_is_one_notice() -> None:
    assert render_annotations(review()) == (
        "::notice title=reviewbot::pass: nothing blocks, the one file is read.\n"
    )


def test_no_more_than_github_shows_and_the_rest_is_counted() -> None:
    findings = [finding(n) for n in range(1, 61)] + [finding(61, Severity.INFO)]
    commands = run(render_annotations(review(*findings, blocking=30)))
    assert [command.name for command in commands] == ["error"] * 10 + ["warning"] * 10 + ["notice"]
    assert commands[-1].text == "fail: 30 findings block this change. 41 more findings in the job summary."


def test_a_deleted_line_is_named_in_the_text_for_github_knows_only_those_of_head() -> None:
    error, _ = run(
        render_annotations(review(finding(1, location=Location("a.py", 3, 4, Side.LEFT)), blocking=1))
    )
    assert "line" not in error.properties
    assert error.properties["file"] == "a.py"
    assert error.text.startswith("a.py:3-4 (deleted): ")


def test_a_finding_without_a_place_is_shown() -> None:
    error, _ = run(render_annotations(review(finding(1, location=None), blocking=1)))
    assert error.properties.keys() == {"title"}


@pytest.mark.parametrize("path", ["caf\udce9.py", "a\nb.py", "a\u202eb.py", "::error::x.py"])
def test_a_path_that_cannot_be_shown_as_it_is_stands_in_the_text(path: str) -> None:
    error, _ = run(render_annotations(review(finding(1, location=Location(path, 3, 3)), blocking=1)))
    assert "file" not in error.properties
    assert "py:3:" in error.text


def test_a_path_with_signs_of_the_syntax_arrives_whole() -> None:
    path = "a,line=9::b%2C%0A.py"
    error, _ = run(render_annotations(review(finding(1, location=Location(path, 3, 3)), blocking=1)))
    assert (error.properties["file"], error.properties["line"]) == (path, "3")


def test_remarks_are_said() -> None:
    made = review(finding(1, suppression=Suppression.CHANGE), blocking=1)
    assert "silenced by a comment that this change adds: ignored." in run(render_annotations(made))[0].text


HOSTILE = st.lists(
    st.sampled_from(
        ["::set-env name=x::y", "##[error]", "\n", "\r", "%0A", "::", ",", "=", "\x1b[31m", "\u2028", "\x85"]
    )
    | st.text(max_size=5),
    max_size=6,
).map("".join)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nothing_that_others_wrote_becomes_a_command_or_a_property(title: str, rule: str, path: str) -> None:
    at = Location(path or "x", 1, 2)
    made = review(
        finding(1, title=title, message=title, rule=rule, tool=rule, note=title, location=at),
        finding(2, title=title, rule=rule, location=at),
        blocking=1,
    )
    printed = render_annotations(made)
    printed.encode("utf-8")
    commands = run(printed)
    assert [command.name for command in commands] == ["error", "warning", "notice"]
    for command in commands:
        assert command.properties.keys() <= {"file", "line", "endLine", "title"}
        assert "\n" not in command.text
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", command.text + "".join(command.properties.values()))


def test_a_rich_review_ends_with_why() -> None:
    printed = render_annotations(rich_review())
    assert run(printed)[-1].text == "fail: 2 findings block this change. 1 more finding in the job summary."
    assert printed.endswith("\n")


def test_an_incomplete_review_says_why() -> None:
    made = review(conclusion=Conclusion.INCOMPLETE)
    assert run(render_annotations(made))[-1].text == "incomplete (neutral): no reason was given."
