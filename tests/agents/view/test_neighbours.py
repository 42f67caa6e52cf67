import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.tasks import plan_security
from reviewbot.agents.view.neighbours import beside_imports
from reviewbot.core import FileChange
from tests.agents.view.test_excerpts import changed, hunk_of


def file(path: str, *lines: str) -> FileChange:
    return changed(path, hunk_of(*[f"+{line}" for line in lines]))


def paths(files: list[FileChange]) -> list[str]:
    return [change.path for change in files]


@pytest.mark.parametrize(
    ("importer", "line", "imported"),
    [
        ("web/views.py", "from shop.storage import save", "shop/storage.py"),
        ("web/views.py", "import storage.engine", "storage/__init__.py"),
        ("web/views.js", "const storage = require('../shop/storage')", "shop/storage.js"),
        ("web/views.ts", "import { save } from '../shop/storage'", "shop/storage.ts"),
        ("web/views.ts", "export { save } from '../shop/storage'", "shop/storage/index.ts"),
        ("web/view.c", '#include "shop/storage.h"', "shop/storage.h"),
        ("web/view.rs", "use crate::shop::storage;", "shop/storage.rs"),
        ("Web/View.java", "import com.shop.Storage;", "Shop/Storage.java"),
        ("web/view.php", "require_once 'shop/storage.php';", "shop/storage.php"),
    ],
)
def test_what_a_file_imports_stands_behind_it(importer: str, line: str, imported: str) -> None:
    files = [file(importer, line), file("between/a.py", "x = 1"), file(imported, "y = 2")]
    assert paths(beside_imports(files)) == [importer, imported, "between/a.py"]


def test_a_word_outside_of_imports_and_a_name_of_several_folders_move_nothing() -> None:
    said = [file("a/x.py", "storage = 1"), file("b/y.py", "y = 1"), file("c/storage.py", "z = 1")]
    assert beside_imports(said) == said
    several = [
        file("a/x.py", "import storage"),
        file("b/y.py", "y = 1"),
        file("c/storage.py", ""),
        file("d/storage.py", ""),
    ]
    assert beside_imports(several) == several
    gone = changed("a/x.py", hunk_of("-import storage"))
    assert beside_imports([gone, *said[1:]]) == [gone, *said[1:]]


def test_tasks_hold_a_file_and_what_it_imports_where_both_fit() -> None:
    body = ["value = compute(1, 2, 3)  # a line of some length"] * 300
    files = [
        file("a/x.py", "import storage", *body),
        *(file(f"b{number}/y.py", *body) for number in range(8)),
        file("c/storage.py", *body),
    ]
    first = plan_security(files, 50_000)[0]
    assert {"a/x.py", "c/storage.py"} <= {part.path for part in first}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.text("abcxyz import\n", max_size=30)),
        max_size=12,
    )
)
def test_no_file_is_lost_or_doubled_and_the_first_stays_first(drawn: list[tuple[str, str, str]]) -> None:
    files = [file(f"{folder}/{name}{number}.py", text) for number, (folder, name, text) in enumerate(drawn)]
    ordered = beside_imports(files)
    assert sorted(paths(ordered)) == sorted(paths(files))
    assert ordered[:1] == files[:1]
