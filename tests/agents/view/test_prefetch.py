import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.agents.view.prefetch import AMBIGUOUS, EVERYWHERE, MOST_ROWS, MOST_TOKENS, Surroundings
from reviewbot.agents.view.symbols import defined_on, find_symbols, names_patterns, used_on
from reviewbot.agents.view.tools import Hit, Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.grep import MAX_PATTERN_CHARACTERS, GrepHit
from reviewbot.core import ChangeStatus, FileChange, Hunk
from reviewbot.secrets.masking import Masker
from reviewbot.testing import BEHAVIOURS, ScriptedModel, Turn
from tests.agents.test_subagents import asked, behave, review
from tests.repositories import Sandbox

BEFORE = {
    "app/store.py": "def load_user(name):\n    return name\n\n\ndef unrelated(a):\n    return a\n",
    "app/views.py": "from app.store import load_user\n\n\ndef show(request):\n    return load_user(request.name)\n",
    "app/safe.py": "def quote_name(name):\n    return name.strip()\n",
}
AFTER = {"app/store.py": BEFORE["app/store.py"].replace("return name\n", "return quote_name(name) + 'x'\n")}


def changed(*lines: str, heading: str = "", path: str = "a.py") -> FileChange:
    hunk = Hunk(1, len(lines), 1, len(lines), lines, heading)
    return FileChange(path, None, ChangeStatus.MODIFIED, "100644", "100644", "b", "h", hunks=(hunk,))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("+def load_user(name):", "load_user"),
        ("-class Basket(Base):", "Basket"),
        ("+func (s *Server) Handle(w http.ResponseWriter) {", "Handle"),
        ("+pub fn parse_header(input: &str) -> Header {", "parse_header"),
        ("+export const renderRow = (row) => {", "renderRow"),
        ("+export async function fetchAll() {", "fetchAll"),
        ("+    public static String toHtml(String text) {", "toHtml"),
        ("+interface Visitor {", "Visitor"),
    ],
)
def test_what_a_line_defines_is_a_changed_name(line: str, name: str) -> None:
    assert find_symbols([changed(line)], 9).changed == (name,)


def test_the_function_around_a_hunk_is_changed_too() -> None:
    found = find_symbols([changed("+    return 1", heading="def load_user(name):")], 9)
    assert found.changed == ("load_user",)


def test_names_that_new_lines_call_are_used_and_what_stands_everywhere_is_not() -> None:
    found = find_symbols(
        [changed("+    x = quote_name(len(a)) + print(b)", "-    old_call(a)", " same_call()")], 9
    )
    assert found.used == ("quote_name",)


@given(st.lists(st.text(max_size=200), max_size=4), st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_whatever_the_lines_hold_the_patterns_are_lawful_and_bounded(lines: list[str], heading: str) -> None:
    found = find_symbols([changed(*(f"+{line}" for line in lines), heading=heading)], 12)
    for names in (found.changed, found.used):
        assert len(names) <= 12
        for name in names:
            assert re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]{3,59}", name)


def look(sandbox: Sandbox, after: dict[str, str], before: dict[str, str] = BEFORE) -> str:
    base = sandbox.commit(before)
    head = sandbox.commit(after)
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        toolbox = Toolbox(repository, changes, Masker())
        return Surroundings(toolbox.find_lines, toolbox.show_line).look_around(changes.files)


def test_the_definitions_and_the_callers_are_found_by_gits_own_engine(sandbox: Sandbox) -> None:
    assert look(sandbox, AFTER) == (
        "Definitions of names that new lines use:\n"
        "app/safe.py:1: def quote_name(name):\n"
        "Uses of names that the change defines or redefines:\n"
        "app/views.py:5: return load_user(request.name)\n"
    )


def test_what_the_hunks_show_themselves_is_not_shown_again(sandbox: Sandbox) -> None:
    assert look(sandbox, {"app/new.py": "def helper_one(a):\n    return a\n\n\nhelper_one(1)\n"}) == ""


def test_lines_of_hidden_files_are_masked_here_too(sandbox: Sandbox) -> None:
    secret = "quote_name(hunter2needle)"
    shown = look(sandbox, {**AFTER, ".env": f"load_user({secret})\nKEY=load_user(needle)\n"})
    assert "needle" not in shown


class Searched:
    """A commit of plain lines: what was sought in it, and what was shown."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.hits = [GrepHit(f"f{n:03}.py", n, line) for n, line in enumerate(lines, 1)]
        self.sought: list[str] = []
        self.shown: list[str] = []
        self.surroundings = Surroundings(self.find, self.show)

    def find(self, pattern: str, most: int) -> Sequence[GrepHit]:
        self.sought.append(pattern)
        return [hit for hit in self.hits if re.search(pattern, hit.text)][:most]

    def show(self, hit: Hit) -> str:
        self.shown.append(hit.path)
        return hit.text

    def look(self, *lines: str) -> str:
        return self.surroundings.look_around([changed(*lines)])


def test_what_inherits_or_is_handed_over_is_a_use_and_an_import_is_none(sandbox: Sandbox) -> None:
    files = {
        "app/store.py": "class Guarded(View):\n    login = True\n",
        "app/views.py": "from app.store import (\n    Guarded,\n)\n\n\nclass Delete(Guarded):\n    pass\n",
        "app/urls.py": "from app.store import Guarded, other\n\nadd('/x', Guarded, name='x')\n",
    }
    after = {"app/store.py": files["app/store.py"].replace("True", "False")}
    assert look(sandbox, after, files) == (
        "Uses of names that the change defines or redefines:\n"
        "app/urls.py:3: add('/x', Guarded, name='x')\n"
        "app/views.py:6: class Delete(Guarded):\n"
    )


def look_at(*found: tuple[str, int, str]) -> list[str]:
    """What is shown of some lines of head beside a change of ``load_user`` in a.py."""
    hits = [GrepHit(*one) for one in found]
    surroundings = Surroundings(lambda _pattern, _most: hits, lambda hit: hit.text)
    return surroundings.look_around(
        [changed("-    check(name)", heading="def load_user(name):")]
    ).splitlines()


def test_a_sibling_that_defines_the_same_name_is_shown_and_the_changed_place_is_not() -> None:
    shown = look_at(("a.py", 90, "def load_user(name):"), ("b.py", 7, "def load_user(name):"))
    assert shown[1:] == ["b.py:7: def load_user(name):"]


def test_tests_and_prose_come_last_and_are_few() -> None:
    tests = [(f"tests/test_{n}.py", n, f"load_user({n})") for n in range(1, 9)]
    shown = look_at(("docs/use.rst", 3, "load_user(1)"), *tests, ("z/late.py", 1, "load_user(z)"))
    assert shown[1:] == [
        "z/late.py:1: load_user(z)",
        "docs/use.rst:3: load_user(1)",
        "tests/test_1.py:1: load_user(1)",
    ]


def test_the_rarest_name_comes_first_and_one_that_stands_everywhere_not_at_all() -> None:
    lines = ["load_user(1)"] * 20 + ["drop_user(1)"] * 2 + ["with_user(1)"] * (EVERYWHERE + 1)
    searched = Searched(lines)
    shown = searched.look("+def load_user(a):", "+def with_user(a):", "+def drop_user(a):").splitlines()
    assert [row.split(": ")[1] for row in shown[1:]] == ["drop_user(1)"] * 2 + ["load_user(1)"] * 10


def test_a_name_that_many_places_define_is_not_looked_up() -> None:
    twice = ["def quote_name(a):"] * AMBIGUOUS
    assert Searched(twice).look("+    quote_name(a)").count("def quote_name") == AMBIGUOUS
    assert Searched([*twice, "def quote_name(b):"]).look("+    quote_name(a)") == ""


def test_uses_in_a_language_of_the_change_come_first() -> None:
    shown = look_at(("a.ini", 1, "x = (load_user)"), ("b.html", 2, "load_user()"), ("c.py", 3, "load_user()"))
    assert [row.split(":")[0] for row in shown[1:]] == ["c.py", "a.ini", "b.html"]


def test_there_is_a_bound_in_rows_and_in_bytes() -> None:
    searched = Searched(["load_user(" + "x" * 300] * EVERYWHERE)
    shown = searched.look("+def load_user(name):")
    assert MOST_TOKENS * 2 < len(shown) <= MOST_TOKENS * 3
    assert len(searched.shown) == MOST_ROWS
    assert searched.look("+    x = 1") == ""


def test_a_name_is_sought_once_and_only_lines_that_are_given_are_masked() -> None:
    searched = Searched(["load_user(a)", "import load_user", "def quote_name(a):", "def load_user(b):"])
    first = searched.look("+def load_user(name):")
    assert first.splitlines()[1:] == ["f001.py:1: load_user(a)", "f004.py:4: def load_user(b):"]
    assert searched.look("+def load_user(name):") == first
    assert searched.sought == ["load_user"]
    second = searched.look("+def load_user(name):", "+    return quote_name(name)")
    assert searched.sought == ["load_user", "quote_name"]
    assert second.endswith(first) and "f003.py:3: def quote_name(a):" in second
    assert sorted(searched.shown) == ["f001.py", "f003.py", "f004.py"]


def test_tasks_side_by_side_do_not_search_for_the_same_twice() -> None:
    searched = Searched(["load_user(a)"])
    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(lambda _: searched.look("+def load_user(name):"), range(8)))
    assert len(said) == 1 and searched.sought == ["load_user"]


@given(st.lists(st.from_regex(r"\A[A-Za-z_$][A-Za-z0-9_$]{3,59}\Z"), max_size=24, unique=True))
def test_every_name_stands_in_one_pattern_and_no_pattern_is_too_long(names: list[str]) -> None:
    patterns = names_patterns(names)
    assert "|".join(patterns).replace("[$]", "$").split("|") == (names or [""])
    assert all(len(pattern) <= MAX_PATTERN_CHARACTERS for pattern in patterns)


@pytest.mark.parametrize(
    ("line", "defined", "used"),
    [
        ("def load_user(name):", {"load_user"}, {"load_user", "name"}),
        ("    x = load_user (name)", set(), {"load_user", "name"}),
        ("const load_user = (name) => go(name)", {"load_user"}, {"name"}),
        ("class Delete(Guarded):", {"Delete"}, {"Delete", "Guarded"}),
        ("add('/x', show_user, name='x')", set(), {"show_user"}),
        ("    show_user,", set(), set()),
        ("const a = require(b.show_user)", set(), set()),
        ("new Basket<Item>()", set(), {"Basket"}),
        ("from app import load_user, other", set(), set()),
        ("reload_users(1)", set(), {"reload_users"}),
        ("x" * 400 + " load_user(1)", set(), set()),
    ],
)
def test_what_a_found_line_says_of_a_name(line: str, defined: set[str], used: set[str]) -> None:
    assert defined_on(line) == frozenset(defined)
    assert used_on(line) == frozenset(used)


def test_what_the_floor_claims_is_sought_while_triage_is_asked(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = sandbox.commit(BEFORE)
    head = sandbox.commit({"app/store.py": AFTER["app/store.py"] + "import os\nos.system('ls ' + input())\n"})
    found, sought = Event(), []
    real = Toolbox.find_lines

    def find(self: Toolbox, expression: str, most: int) -> Sequence[Hit]:
        sought.append(expression)
        hits = real(self, expression, most)
        found.set()
        return hits

    def triage(body: Mapping[str, Any]) -> Turn:
        assert found.wait(20), "nothing was sought while triage was asked"
        return BEHAVIOURS["reader"](body)

    monkeypatch.setattr(Toolbox, "find_lines", find)
    with ScriptedModel(behave(haiku=triage)) as model:
        review(sandbox, base, head, model)
    assert model.refused == []
    assert len(sought) == 1
    assert "<around-" in str(asked(model, "opus")[0])


def test_twelve_long_names_find_room(sandbox: Sandbox) -> None:
    names = [f"{'m' * 50}_{n:02}" for n in range(12)]
    lines = "".join(f"def {name}(a):\n    return 1\n" for name in names)
    calls = "".join(f"{name}(1)\n" for name in names)
    sandbox.commit({"app/long.py": lines})
    shown = look(sandbox, {"app/calls.py": calls})
    assert [line.split(": ")[1] for line in shown.splitlines()[1:]] == [f"def {name}(a):" for name in names]


def test_the_security_task_is_given_what_was_found(sandbox: Sandbox) -> None:
    base = sandbox.commit(BEFORE)
    head = sandbox.commit({"app/store.py": AFTER["app/store.py"] + "import os\nos.system('ls ' + input())\n"})
    with ScriptedModel("reader") as model:
        review(sandbox, base, head, model)
        assert model.refused == []
    first = asked(model, "opus")[0]
    [text] = [block["text"] for block in first["messages"][0]["content"] if "<around-" in block["text"]]
    assert "app/safe.py:1: def quote_name(name):" in text
    assert text.index("<change-") < text.index("<around-")


def test_a_word_that_defines_is_no_name() -> None:
    line = "+func (r *Request) SetCheckRedirect(fn func(req *http.Request) error) *Request {"
    assert find_symbols([changed(line)], 9).changed == ("SetCheckRedirect",)
