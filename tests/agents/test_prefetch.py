import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.agents.prefetch import MOST_ROWS, MOST_TOKENS, Row, look_around
from reviewbot.agents.symbols import callers_pattern, definitions_pattern, find_symbols
from reviewbot.agents.tools import Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.core import ChangeStatus, FileChange, Hunk
from reviewbot.masking import Masker
from reviewbot.testing import ScriptedModel
from tests.agents.test_subagents import asked, review
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


def look(sandbox: Sandbox, after: dict[str, str]) -> str:
    base = sandbox.commit(BEFORE)
    head = sandbox.commit(after)
    with Repository(sandbox.folder) as repository:
        changes = load_change_set(repository, base, head)
        return look_around(changes.files, Toolbox(repository, changes, Masker()).find_lines)


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


def test_there_is_a_bound_in_rows_and_in_bytes() -> None:
    def find(pattern: str, most: int) -> Sequence[Row]:
        return [(f"f{n}.py", n, "x" * 300) for n in range(1, most)]

    shown = look_around([changed("+def load_user(name):")], find)
    assert len(shown) <= MOST_TOKENS * 3
    assert len(shown.splitlines()) <= MOST_ROWS + 1
    assert look_around([changed("+    x = 1")], find) == ""


@pytest.mark.parametrize("pattern", [callers_pattern, definitions_pattern])
def test_twelve_long_names_find_room_in_a_pattern_or_are_left_out(sandbox: Sandbox, pattern: object) -> None:
    lines = "".join(f"def {'n' * 50}_{n:02}(a):\n    return {'m' * 50}_{n:02}(a)\n" for n in range(20))
    assert "def" not in look(sandbox, {"app/long.py": lines})


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
