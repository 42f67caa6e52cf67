from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.evidence.paths import TreePaths, decode_uri

TREE = (
    "README.md",
    "src/app.py",
    "src/a b.py",
    "src/100%.py",
    "lib/util/app.py",
    "web/src/index.js",
    "api/src/index.js",
    "passwd",
    "odd\\name.py",
    "caf\udce9.py",
)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("src/app.py", "src/app.py"),
        ("./src/./app.py", "src/app.py"),
        ("src\\app.py", "src/app.py"),
        ("src//app.py", "src/app.py"),
        ("lib/../src/app.py", "src/app.py"),
        ("odd\\name.py", "odd\\name.py"),
        ("/build/repo/src/app.py", "src/app.py"),
        ("/build/repo/../repo/src/app.py", "src/app.py"),
        ("file:///build/repo/src/a%20b.py", "src/a b.py"),
        ("file:/build/repo/src/app.py", "src/app.py"),
        ("file://localhost/build/repo/src/app.py", "src/app.py"),
        ("file:///D:/a/repo/src/app.py", "src/app.py"),
        ("file:///d%3A/a/repo/src/app.py", "src/app.py"),
        ("D:\\a\\repo\\src\\app.py", "src/app.py"),
        ("d:/A/Repo/src/app.py", "src/app.py"),
        ("util/app.py", "lib/util/app.py"),
        ("100%.py", "src/100%.py"),
    ],
)
def test_a_path_is_found_however_it_is_written(written: str, path: str) -> None:
    assert TreePaths(TREE, ["/build/repo", "D:\\a\\repo"]).find(written) == path


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "/",
        "..",
        "src",
        "src/",
        "../src/app.py/../../..",
        "../README.md",
        "src/../../README.md",
        "src/app.py\0",
        "/etc/passwd",
        "file:///etc/passwd",
        "file:///build/repo/../../etc/passwd",
        "/build/repository/src/app.py",
        "https://example.org/src/app.py",
        "C:\\src\\app.py",
        "\\\\server\\share\\src\\app.py",
        "file://server/share/src/app.py",
        "src/index.js",
        "app.py",
        "x/" * 5_000,
        "\ud800",
    ],
)
def test_what_lies_outside_or_is_ambiguous_is_not_found(written: str) -> None:
    assert TreePaths(TREE, ["/build/repo", "D:\\a\\repo"]).find(written) is None


def test_the_folder_of_another_machine_is_learnt_from_all_paths_together() -> None:
    written = ["/builds/x/src/app.py", "/builds/x/lib/util/app.py", "/builds/x/gone.py", "/usr/lib/x.py"]
    taught = TreePaths(TREE).learn(written)
    assert [taught.find(path) for path in written] == ["src/app.py", "lib/util/app.py", None, None]
    assert taught.find("/builds/x/web/src/index.js") == "web/src/index.js"
    assert TreePaths(TREE).find("/builds/x/src/app.py") is None


def test_a_learnt_folder_may_be_a_windows_drive_or_a_go_module() -> None:
    tree = TreePaths(TREE)
    assert tree.learn(["E:\\ci\\job\\src\\app.py"]).find("E:\\ci\\job\\README.md") == "README.md"
    assert tree.learn(["example.org/me/repo/src/app.py"]).find("example.org/me/repo/passwd") == "passwd"


def test_the_folder_that_fits_most_paths_wins_and_of_equals_the_shortest() -> None:
    tree = TreePaths(["a.py", "src/a.py", "src/b.py", "x/src/b.py"])
    taught = tree.learn(["/one/src/a.py", "/one/src/b.py", "/two/x/src/b.py"])
    assert taught.find("/one/src/a.py") == "src/a.py"


def test_one_bare_name_teaches_nothing() -> None:
    assert TreePaths(TREE).learn(["/etc/passwd"]).find("/etc/passwd") is None


def test_percent_encoding_is_undone_once_and_into_bytes() -> None:
    assert decode_uri("caf%E9.py") == "caf\udce9.py"
    assert decode_uri("a%2520b") == "a%20b"
    assert decode_uri("\ud800%20") == "\ud800%20"
    assert TreePaths(TREE).find(decode_uri("%2e%2e/README.md")) is None


def test_a_stem_is_known_with_any_extension() -> None:
    assert TreePaths(TREE).has_stem("app")
    assert not TreePaths(TREE).has_stem("ap")


def test_a_hundred_thousand_paths_of_one_name_are_told_apart() -> None:
    paths = [f"pkg{number}/mod/__init__.py" for number in range(100_000)]
    tree = TreePaths(paths)
    assert tree.find("pkg77777/mod/__init__.py") == "pkg77777/mod/__init__.py"
    assert tree.find("mod/__init__.py") is None
    taught = tree.learn([f"/x/repo/{path}" for path in paths[:100]])
    assert taught.find("/x/repo/pkg99999/mod/__init__.py") == "pkg99999/mod/__init__.py"


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
tree_paths = st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4).map(
    "/".join
)


@given(st.sets(tree_paths, max_size=8), st.text(max_size=40), st.lists(st.text(max_size=40), max_size=4))
@settings(max_examples=200)
def test_any_text_finds_a_path_of_the_tree_or_none(paths: set[str], written: str, others: list[str]) -> None:
    tree = TreePaths(paths, others)
    for one in (tree, tree.learn([*others, written])):
        assert one.find(written) in {None, *paths}


@given(st.sets(tree_paths, min_size=1, max_size=8))
def test_every_path_of_the_tree_is_found_by_its_file_uri(paths: set[str]) -> None:
    tree = TreePaths(paths, ["/build/repo"])
    for path in paths:
        if "\\" in path:
            continue  # in an absolute path it can only mean a folder: Windows tools write it so
        assert tree.find(f"file:///build/repo/{quote(path.encode(), safe='/')}") == path
