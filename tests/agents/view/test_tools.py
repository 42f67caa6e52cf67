from collections.abc import Iterator

import pytest

from reviewbot.agents.spec import TOOLS
from reviewbot.agents.view.excerpts import mask_changes
from reviewbot.agents.view.tools import BYTES_CAP, Toolbox
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.secrets.masking import Masker
from tests.repositories import Sandbox


@pytest.fixture
def toolbox(sandbox: Sandbox) -> Iterator[Toolbox]:
    base = sandbox.commit({"app/old.py": "gone = 1\n", "app/a.py": "a = 1\nb = 2\n"})
    sandbox.remove("app/old.py")
    (sandbox.folder / "link").symlink_to("/etc/hostname")
    head = sandbox.commit(
        {
            "app/a.py": "a = 1\nb = 3\nc = shell(a)\n",
            "app/long.py": "".join(f"line {n}\n" for n in range(1, 1_001)),
            "app/wide.txt": ("x" * 900 + "\n") * 200,
            "app/bin": b"\0\1\2",
            "app/dos.txt": "one\r\ntwo\r\n",
            ".env": "SHELL_TOKEN=hunter2hunter2\nRUN=$(shell(a))\n",
            "zero\u200bwidth.py": "pass\u200bword = 1\n",
            "empty.txt": "",
            ":(glob)*": "odd shell(name)\n",
        }
    )
    with Repository(sandbox.folder) as repository:
        yield tools_over(repository, base, head)


def tools_over(repository: Repository, base: str, head: str) -> Toolbox:
    masker = Masker()
    changes = mask_changes(load_change_set(repository, base, head), masker, repository.read_object)
    return Toolbox(repository, changes, masker)


def test_definitions_are_strict_and_always_the_same(toolbox: Toolbox) -> None:
    definitions = toolbox.definitions(TOOLS)
    assert [tool["name"] for tool in definitions] == list(TOOLS)
    assert definitions == toolbox.definitions(TOOLS)
    for tool in definitions:
        schema = tool["input_schema"]
        assert tool["strict"] is True and schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
    assert sum(len(tool["input_schema"]["properties"]) for tool in definitions) <= 24


def test_a_file_is_read_on_both_sides_as_it_stands(toolbox: Toolbox) -> None:
    assert toolbox.call("read_file", {"path": "app/a.py"}).text == (
        "[app/a.py at head, 1-3 of 3]\na = 1\nb = 3\nc = shell(a)"
    )
    assert "b = 2" in toolbox.call("read_file", {"path": "app/a.py", "side": "base"}).text
    assert "gone = 1" in toolbox.call("Read_File", {"path": "app/old.py", "side": "base"}).text
    assert toolbox.call("read_file", {"path": "app/dos.txt"}).text.endswith("one\ntwo")


def test_a_long_file_is_read_in_pages_that_say_how_to_go_on(toolbox: Toolbox) -> None:
    seen: list[str] = []
    start = 1
    while start:
        text = toolbox.call("read_file", {"path": "app/long.py", "start_line": start, "max_lines": 400}).text
        _, *lines = text.split("\n")
        more = lines.pop() if lines[-1].startswith("[more: ") else ""
        seen += lines
        start = int(more.rpartition("=")[2].rstrip("]")) if more else 0
    assert seen == [f"line {n}" for n in range(1, 1_001)]


def test_an_answer_is_capped_in_bytes(toolbox: Toolbox) -> None:
    text = toolbox.call("read_file", {"path": "app/wide.txt", "max_lines": 10_000}).text
    assert len(text) < BYTES_CAP + 200
    assert "more characters]" in text and "start_line=" in text


@pytest.mark.parametrize(
    "path",
    ["/proc/self/environ", "/etc/passwd", "../x", "app/../app/a.py", "a\0b", ".git/config", "app", "", "~", "link/x",
     "app/a.py/", "-rf", "app\\a.py"],
)  # fmt: skip
@pytest.mark.parametrize("tool", ["read_file", "show_diff"])
def test_a_path_of_neither_commit_is_denied(toolbox: Toolbox, tool: str, path: str) -> None:
    assert toolbox.call(tool, {"path": path}).denied


@pytest.mark.parametrize("prefix", ["/etc", "../", "~/", "a/../b"])
def test_a_foreign_prefix_is_denied(toolbox: Toolbox, prefix: str) -> None:
    assert toolbox.call("list_files", {"prefix": prefix}).denied


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("bash", {"command": "ls"}),
        ("read_file", {"path": "app/a.py", "encoding": "x"}),
        ("read_file", {}),
        ("read_file", None),
        ("read_file", ["app/a.py"]),
        ("read_file", {"path": 3}),
        ("read_file", {"path": "app/a.py", "start_line": "1"}),
        ("read_file", {"path": "app/a.py", "start_line": True}),
        ("read_file", {"path": "app/a.py", "side": "index"}),
        ("search", {"text": ""}),
        ("search", {"text": "a\nb"}),
        ("search", {"text": "a" * 201}),
        ("search", {"text": r"(a*)\1", "regex": True}),
        ("search", {"text": "(a{50}){50}", "regex": True}),
        ("search", {"text": "a{999}", "regex": True}),
        ("search", {"text": "a", "path": "/etc"}),
    ],
)
def test_unknown_tools_and_bad_arguments_are_denied_with_a_sentence(
    toolbox: Toolbox, tool: str, arguments: object
) -> None:
    result = toolbox.call(tool, arguments)
    assert result.denied and result.text.endswith(".")


def test_a_link_is_its_target_as_text_and_a_binary_file_is_named(toolbox: Toolbox) -> None:
    assert toolbox.call("read_file", {"path": "link"}).text.endswith(
        "(a symbolic link; this is its target), 1-1 of 1]\n/etc/hostname"
    )
    assert "binary" in toolbox.call("read_file", {"path": "app/bin"}).text
    assert "empty" in toolbox.call("read_file", {"path": "empty.txt"}).text


def test_files_of_settings_are_read_without_their_values(toolbox: Toolbox) -> None:
    for tool, arguments in (
        ("read_file", {"path": ".env"}),
        ("show_diff", {"path": ".env"}),
        ("search", {"text": "SHELL_TOKEN"}),
        ("search", {"text": "hunter2", "path": ".env"}),
    ):
        assert "hunter2" not in toolbox.call(tool, arguments).text
    for tool in ("read_file", "show_diff"):
        shown = toolbox.call(tool, {"path": ".env"}).text
        assert "SHELL_TOKEN=********" in shown and "RUN=$(shell(a))" in shown
    assert toolbox.call("search", {"text": "hunter2"}).text == "No line of head holds it."


def test_search_shows_lines_as_read_file_does_and_looks_in_the_base_too(sandbox: Sandbox) -> None:
    base = sandbox.commit({"a.c": "int old;\n"})
    head = sandbox.commit({"a.c": "\tif (a)\tgo(b);\r\n"})
    with Repository(sandbox.folder) as repository:
        tools = tools_over(repository, base, head)
        assert tools.call("search", {"text": "go(b)"}).text == "[1 line, 1-1 of 1]\na.c:1: if (a)\tgo(b);"
        assert "a.c:1: int old;" in tools.call("search", {"text": "int old", "side": "base"}).text
        assert tools.call("search", {"text": "int old"}).text == "No line of head holds it."


def test_search_finds_lines_literally_or_by_expression_and_within_a_folder(toolbox: Toolbox) -> None:
    assert "app/a.py:3: c = shell(a)" in toolbox.call("search", {"text": "shell("}).text
    assert "app/a.py:3:" in toolbox.call("search", {"text": r"shell\([a-z]\)", "regex": True}).text
    inside = toolbox.call("search", {"text": "shell(", "path": "app/"}).text
    assert "app/a.py:3:" in inside and "glob" not in inside
    assert toolbox.call("search", {"text": "shell(", "path": ":(glob)*"}).text.count("shell(") == 1
    assert toolbox.call("search", {"text": "nowhere to be found"}).text == "No line of head holds it."


def test_a_search_that_finds_much_says_that_there_is_more(toolbox: Toolbox) -> None:
    text = toolbox.call("search", {"text": "line"}).text
    assert text.startswith("[60 lines or more") and len(text.split("\n")) == 61


def test_an_expression_that_git_refuses_is_answered_with_a_sentence(toolbox: Toolbox) -> None:
    result = toolbox.call("search", {"text": "(a", "regex": True})
    assert not result.denied and "could not be read" in result.text


def test_the_diff_of_a_file_is_the_one_of_the_request(toolbox: Toolbox) -> None:
    text = toolbox.call("show_diff", {"path": "app/a.py"}).text
    assert "=== app/a.py (modified, +2 -1)" in text and "\n-b = 2\n+b = 3\n" in text
    more = toolbox.call("show_diff", {"path": "app/long.py"}).text
    assert "start_line=401" in more
    assert "\n+line 399\n" in toolbox.call("show_diff", {"path": "app/long.py", "start_line": 401}).text


def test_hidden_characters_are_shown_and_such_a_path_can_be_asked_for(toolbox: Toolbox) -> None:
    shown = "zero<U+200B>width.py"
    assert shown in toolbox.call("list_files", {"prefix": "zero"}).text
    assert "pass<U+200B>word = 1" in toolbox.call("read_file", {"path": shown}).text


def test_a_large_folder_is_listed_by_its_folders(sandbox: Sandbox) -> None:
    base = sandbox.commit()
    head = sandbox.commit({f"src/d{n % 4}/f{n}.py": "" for n in range(400)})
    with Repository(sandbox.folder) as repository:
        toolbox = tools_over(repository, base, head)
        assert "src/d1/ (100 files)" in toolbox.call("list_files", {"prefix": "src/"}).text
        assert "src/d1/f1.py" in toolbox.call("list_files", {"prefix": "src/d1/"}).text


@pytest.mark.parametrize("masked", [70, 1_300])
def test_what_is_masked_cannot_crowd_out_what_a_search_finds(sandbox: Sandbox, masked: int) -> None:
    base = sandbox.commit({"x": "1\n"})
    head = sandbox.commit(
        {".env": "PASSWORD=shellword1\n" * masked, "app.py": "def shellword1(x): eval(x)\n"}
    )
    with Repository(sandbox.folder) as repository:
        tools = tools_over(repository, base, head)
        assert "app.py:1: def shellword1(x)" in tools.call("search", {"text": "shellword1"}).text


def test_a_search_that_only_masked_lines_answer_does_not_say_that_nothing_was_found(sandbox: Sandbox) -> None:
    base = sandbox.commit({"x": "1\n"})
    head = sandbox.commit(
        {".env": "PASSWORD=shellword1\n" * 30_000, "app.py": "def shellword1(x): eval(x)\n"}
    )
    with Repository(sandbox.folder) as repository:
        tools = tools_over(repository, base, head)
        said = tools.call("search", {"text": "shellword1"}).text
        assert "app.py" in said or "masked" in said
        assert "app.py:1" in tools.call("search", {"text": "shellword1", "path": "app.py"}).text
