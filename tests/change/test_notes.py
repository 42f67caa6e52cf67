from reviewbot.change.command import LONGEST_NOTE, MOST_AUTHORS, Command, Verb, parse_command
from reviewbot.change.notes import MOST_NOTES, OncePerPerson, read_notes
from reviewbot.github.api import Call
from tests.change.test_command import People


def say(*said: tuple[str, str]) -> list[Call]:
    return [Call(number, author, f"/reviewbot {body}") for number, (author, body) in enumerate(said)]


def test_a_note_is_one_short_line_of_data() -> None:
    command = parse_command("/reviewbot remember  the `api/` folder is\u202e public " + "x" * 900)
    assert command is not None
    assert command.verb is Verb.REMEMBER
    assert command.reason.startswith("the `api/` folder is")
    assert len(command.reason) <= LONGEST_NOTE
    assert "\u202e" not in command.reason


def test_remember_without_a_text_is_answered_with_the_help() -> None:
    assert parse_command("/reviewbot remember") == Command(Verb.HELP, wrong="`remember` needs a text.")


def test_only_notes_of_people_who_may_write_are_told_and_the_newest_come_first() -> None:
    people = People({"mona": "write", "rea": "read"})
    calls = say(
        ("mona", "remember one"), ("rea", "remember two"), ("mona", "remember three"), ("mona", "help")
    )
    notes, told = read_notes(people, "octo/app", calls)
    assert notes == (
        ("told by mona in a comment", "three"),
        ("told by mona in a comment", "one"),
    )
    assert told == ("A note in a comment was not counted: only people with write access may leave some.",)


def test_more_notes_than_prompts_take_are_said_to_be_left_out() -> None:
    calls = say(*(("mona", f"remember {number}") for number in range(MOST_NOTES + 2)))
    notes, [told] = read_notes(People({"mona": "admin"}), "octo/app", calls)
    assert [text for _, text in notes] == [str(number) for number in range(MOST_NOTES + 1, 1, -1)]
    assert f"newest {MOST_NOTES} of {MOST_NOTES + 2}" in told


def test_nobody_is_looked_up_twice_and_a_crowd_is_not_looked_up() -> None:
    people = People({"mona": "write", **{f"p{number}": "write" for number in range(MOST_AUTHORS)}})
    rights = OncePerPerson(people)
    calls = say(
        ("mona", "remember a"), ("ghost", "remember b"), ("mona", "remember c"), ("ghost", "remember d")
    )
    for _ in range(2):
        notes, _told = read_notes(rights, "octo/app", calls)
        assert [text for _, text in notes] == ["c", "a"]
    assert sorted(people.asked) == ["ghost", "mona"]
    crowd = say(*((f"p{number}", "remember x") for number in range(MOST_AUTHORS)))
    assert len(read_notes(rights, "octo/app", crowd)[0]) == min(MOST_NOTES, MOST_AUTHORS - 2)
    assert len(people.asked) == MOST_AUTHORS
