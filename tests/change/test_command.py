from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.change.command import (
    LONGEST_REASON,
    MOST_AUTHORS,
    Command,
    Verb,
    may_command,
    parse_command,
    read_dismissals,
)
from reviewbot.github.api import Call, GitHubDenied

ONE = "0123456789abcdef"


class People:
    """Rights by login; whoever is missing cannot be looked up."""

    def __init__(self, rights: Mapping[str, str]) -> None:
        self.rights, self.asked = rights, list[str]()

    def read_permission(self, repository: str, login: str) -> str:
        assert repository == "octo/app"
        self.asked.append(login)
        if login not in self.rights:
            raise GitHubDenied("No.")
        return self.rights[login]


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/reviewbot help", Command(Verb.HELP)),
        ("/reviewbot", Command(Verb.HELP)),
        (" /reviewbot review \r\n", Command(Verb.REVIEW)),
        ("/reviewbot review full", Command(Verb.REVIEW, full=True)),
        ("/reviewbot security", Command(Verb.SECURITY, full=True)),
        ("/reviewbot tests", Command(Verb.TESTS)),
        ("/reviewbot budget", Command(Verb.BUDGET)),
        (f"/reviewbot explain `{ONE}`", Command(Verb.EXPLAIN, ONE)),
        (f"/reviewbot dismiss {ONE} is fine -- --force", Command(Verb.DISMISS, ONE, "is fine -- --force")),
    ],
)
def test_a_command_is_one_line_of_known_words(body: str, command: Command) -> None:
    assert parse_command(body) == command


@pytest.mark.parametrize("body", ["", "hello", "/reviewbots help", "x /reviewbot help", "/Reviewbot help"])
def test_nobody_is_called_by_anything_else(body: str) -> None:
    assert parse_command(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "/reviewbot REVIEW",
        "/reviewbot approve",
        "/reviewbot review fully",
        "/reviewbot review full please",
        "/reviewbot security full",
        "/reviewbot tests all",
        "/reviewbot review\n/reviewbot help",
        "/reviewbot\nreview",
        "/reviewbot explain",
        f"/reviewbot explain {ONE} please",
        f"/reviewbot explain {ONE.upper()}",
        f"/reviewbot dismiss {ONE}",
        f"/reviewbot dismiss {ONE[1:]} short",
    ],
)
def test_what_cannot_be_followed_says_what_is_wrong(body: str) -> None:
    command = parse_command(body)
    assert command is not None
    assert command.verb is Verb.HELP
    assert command.wrong.endswith(".")


def test_a_reason_is_one_short_line_of_data() -> None:
    command = parse_command(f"/reviewbot dismiss {ONE} " + "x\u202e" * 500)
    assert command is not None
    assert len(command.reason) <= LONGEST_REASON
    assert "\u202e" not in command.reason


@given(st.text(), st.sampled_from(["", "/reviewbot ", "/reviewbot dismiss ", f"/reviewbot dismiss {ONE} "]))
def test_no_comment_is_too_strange_to_be_read(text: str, prefix: str) -> None:
    command = parse_command(prefix + text)
    if command is not None and command.verb is Verb.DISMISS:
        assert command.finding
        assert command.reason
        assert "\n" not in command.reason


@pytest.mark.parametrize(
    ("right", "may"), [("admin", True), ("write", True), ("read", False), ("none", False), ("owner", False)]
)
def test_only_who_may_write_may_command(right: str, may: bool) -> None:
    assert may_command(People({"mona": right}), "octo/app", "mona") is may
    assert may_command(People({}), "octo/app", "mona") is False


def test_dismissals_are_those_of_people_who_may_and_each_is_looked_up_once() -> None:
    people = People({"mona": "write", "rea": "read"})
    calls = [
        Call(1, "mona", f"/reviewbot dismiss {ONE} first"),
        Call(2, "mona", f"/reviewbot dismiss {ONE} second"),
        Call(3, "mona", "/reviewbot review"),
        Call(4, "rea", f"/reviewbot dismiss {'f' * 16} why"),
        Call(5, "gone", f"/reviewbot dismiss {'f' * 16} why"),
        Call(6, "ada", "/reviewbot help"),
    ]
    dismissed, notes = read_dismissals(people, "octo/app", calls)
    assert dismissed == {ONE: "Dismissed by mona: second"}
    assert notes == ("2 dismissals were not counted: only people with write access may dismiss.",)
    assert people.asked == ["mona", "rea", "gone"]


def test_a_crowd_of_dismissals_asks_github_no_more_than_so_often() -> None:
    people = People({f"p{n}": "write" for n in range(100)})
    calls = [Call(n, f"p{n}", f"/reviewbot dismiss {n:016x} why") for n in range(100)]
    dismissed, notes = read_dismissals(people, "octo/app", calls)
    assert len(dismissed) == len(people.asked) == MOST_AUTHORS
    assert notes == (
        f"{100 - MOST_AUTHORS} dismissals were not counted: {MOST_AUTHORS} other people wrote such comments "
        "before, and no more are looked up in a run. Delete those comments and run it again.",
    )
