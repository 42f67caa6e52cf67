import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.results import AgentsReview
from reviewbot.claims import Claim, Edit, Outcome, Quote, Stop, Task
from reviewbot.core import ChangeSet, ChangeStatus, FileChange, Hunk, Severity
from reviewbot.scan.readings import (
    Reading,
    add_readings,
    choose_readings,
    explain,
    hash_recipe,
    key_of,
    make_readings,
    parse_reading,
    render_reading,
)
from reviewbot.verdict.coverage import Readers

HEAD, RECIPE = "a" * 40, "r" * 32


def change(path: str, blob: str = "1", mode: str = "100644", *lines: str) -> FileChange:
    hunk = Hunk(0, 0, 1, len(lines), tuple(f"+{line}" for line in lines))
    return FileChange(
        path, None, ChangeStatus.ADDED, "000000", mode, None, blob * 40,
        added_lines=len(lines), hunks=(hunk,) if lines else (), added=((1, len(lines)),) if lines else (),
    )  # fmt: skip


def tree(*files: FileChange) -> ChangeSet:
    return ChangeSet("", HEAD, files)


def claim(path: str = "a.py", *others: str) -> Claim:
    return Claim(
        "security", "command-injection", Severity.HIGH, 0.9, "A shell", "Because.",
        tuple(Quote(each, 3, 4, "f()\ng()") for each in (path, *others)),
        (Edit(path, "f()", "h()"),), (), ("CWE-78",),
    )  # fmt: skip


READING = Reading("a.py", HEAD, ("triage", "security"), claims=(claim(),))


def kept(*readings: tuple[FileChange, Reading]) -> dict[str, str]:
    return {key_of(RECIPE, file): render_reading(reading) for file, reading in readings}


def test_an_unchanged_file_has_its_reading() -> None:
    a, b = change("a.py"), change("b.py", "2")
    assert choose_readings(kept((a, READING)), RECIPE, tree(a, b), ()) == {"a.py": READING}


@pytest.mark.parametrize(
    ("recipe", "file", "excluded"),
    [
        ("s" * 32, change("a.py"), ()),
        (RECIPE, change("a.py", "3"), ()),
        (RECIPE, change("a.py", "1", "120000"), ()),
        (RECIPE, change("a.py"), ("a.py",)),
    ],
    ids=["other prompts", "other content", "a link", "excluded now"],
)
def test_no_reading_holds_for_something_else(
    recipe: str, file: FileChange, excluded: tuple[str, ...]
) -> None:
    assert choose_readings(kept((change("a.py"), READING)), recipe, tree(file), excluded) == {}


def test_a_moved_file_takes_its_claims_along() -> None:
    reading = replace(READING, claims=(claim("a.py", "c.py"),), others={"c.py": "3" * 40})
    here, other = change("lib/b.py"), change("c.py", "3")
    found = choose_readings(kept((here, reading)), RECIPE, tree(here, other), ())["lib/b.py"]
    (said,) = found.claims
    assert [quote.path for quote in said.quotes] == ["lib/b.py", "c.py"]
    assert [edit.path for edit in said.edits] == ["lib/b.py"]
    assert found.sha == HEAD


def test_a_reading_ends_with_another_file_that_it_quotes() -> None:
    reading = replace(READING, claims=(claim("a.py", "c.py"),), others={"c.py": "3" * 40})
    a = change("a.py")
    assert choose_readings(kept((a, reading)), RECIPE, tree(a, change("c.py", "4")), ()) == {}
    assert choose_readings(kept((a, reading)), RECIPE, tree(a), ()) == {}


def test_what_triage_alone_read_is_read_again_where_it_moved_to_a_risky_place() -> None:
    text = ("on: push", "jobs:", "  x:", "    steps:", "      - run: make")
    calm, risky = (
        change("notes/x.yml", "1", "100644", *text),
        change(".github/workflows/x.yml", "1", "100644", *text),
    )
    reading = Reading("notes/old.yml", HEAD, ("triage",), triaged="nothing")
    assert set(choose_readings(kept((calm, reading)), RECIPE, tree(calm), ())) == {"notes/x.yml"}
    assert choose_readings(kept((risky, reading)), RECIPE, tree(risky), ()) == {}


def agents(*outcomes: Outcome, **changes: Any) -> AgentsReview:
    empty = AgentsReview(outcomes, {}, {}, {}, (), (), 0.0, cost_complete=True)
    return replace(empty, **changes)


def outcome(*claims: Claim, agent: str = "security", paths: tuple[str, ...] = ("a.py",)) -> Outcome:
    return Outcome(Task(agent, paths), "m", "medium", Stop.DONE, claims)


def test_each_file_that_was_finished_leaves_a_reading_with_the_claims_about_it() -> None:
    made = make_readings(
        agents(
            outcome(claim("a.py"), claim("b.py", "a.py"), paths=("a.py", "b.py")),
            outcome(claim("a.py"), agent="test_fix"),
            reviewed={"a.py": ("triage", "security"), "b.py": ("security",)},
            triaged={"c.md": "prose"},
            failed={"d.py": "the budget was spent"},
        ),
        tree(change("a.py"), change("b.py", "2"), change("c.md", "3"), change("d.py", "4")),
    )
    assert set(made) == {"a.py", "b.py", "c.md"}
    assert made["a.py"] == READING
    assert (made["b.py"].claims, made["b.py"].others) == ((claim("b.py", "a.py"),), {"a.py": "1" * 40})
    assert made["c.md"] == Reading("c.md", HEAD, ("triage",), triaged="prose")


def test_a_claim_about_a_file_that_nobody_had_to_read_stays_with_its_task() -> None:
    files = tree(change("a.py"), change("go.sum", "2"))
    said = agents(outcome(claim("go.sum")), reviewed={"a.py": ("security",)})
    made = make_readings(said, files)
    assert (made["a.py"].claims, made["a.py"].others) == ((claim("go.sum"),), {"go.sum": "2" * 40})


def test_a_claim_that_quotes_no_file_of_the_tree_is_not_kept() -> None:
    said = agents(outcome(claim("a.py", "absent.py")), reviewed={"a.py": ("security",)})
    assert make_readings(said, tree(change("a.py")))["a.py"].claims == ()


def test_earlier_readings_count_beside_those_of_this_scan() -> None:
    triaged = Reading("b.md", "b" * 40, ("triage",), triaged="prose")
    readers = add_readings(Readers({"c.py": ("security",)}), {"a.py": READING, "b.md": triaged})
    assert readers.reviewed == {"c.py": ("security",), "a.py": ("triage", "security")}
    assert readers.triaged == {"b.md": "prose"}
    assert explain(triaged) == "unchanged since it was read at bbbbbbbbbbbb"


def test_the_recipe_is_of_models_and_notes() -> None:
    models = {"triage": "m1", "security": "m2"}
    first = hash_recipe(models, [("AGENTS.md", "x")])
    assert first == hash_recipe(dict(reversed(models.items())), [("AGENTS.md", "x")])
    others = {
        hash_recipe({**models, "security": "m3"}, [("AGENTS.md", "x")]),
        hash_recipe({**models, "verify": "m2"}, [("AGENTS.md", "x")]),
        hash_recipe(models, [("AGENTS.md", "y")]),
        hash_recipe(models, []),
    }
    assert len(others | {first}) == 5


@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20))
def test_any_text_comes_back_the_same(path: str, text: str) -> None:
    said = replace(claim(path), title=text, body=text, quotes=(Quote(path, 1, 1, text),))
    reading = replace(READING, path=path, triaged=text, claims=(said,), others={text: path})
    assert parse_reading(render_reading(reading)) == reading


def spoilt(**changes: Any) -> str:
    node = json.loads(render_reading(READING))
    return json.dumps({**node, **changes})


def spoilt_claim(**changes: Any) -> str:
    (node,) = json.loads(render_reading(READING))["claims"]
    return spoilt(claims=[{**node, **changes}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        "[" * 100_000,
        spoilt(by=[]),
        spoilt(by=[1]),
        spoilt(path=None),
        spoilt(others=[]),
        spoilt(others={"a": 1}),
        spoilt(more=1),
        spoilt(claims=7),
        spoilt(claims=[7]),
        spoilt_claim(severity="bad"),
        spoilt_claim(confidence=2),
        spoilt_claim(confidence="x"),
        spoilt_claim(title=[]),
        spoilt_claim(quotes=[{"path": "a"}]),
        spoilt_claim(quotes=[{"path": "a", "start_line": "1", "end_line": 1, "text": "x"}]),
        spoilt_claim(edits=[{"path": "a", "find": 1, "replace": ""}]),
        spoilt_claim(advisory="no"),
        spoilt_claim(cwe=[1]),
    ],
    ids=lambda text: text[:40] + text[-60:],
)
def test_a_reading_of_another_form_counts_for_nothing(text: str) -> None:
    assert parse_reading(text) is None
    file = change("a.py")
    assert choose_readings({key_of(RECIPE, file): text}, RECIPE, tree(file), ()) == {}
