import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.agents.view.failing_tests import MOST_TOKENS, look_at_tests
from reviewbot.agents.view.passages import Side
from reviewbot.core import ChangeStatus, Evidence, FileChange, Hunk, Location, Severity
from reviewbot.testing import ScriptedModel
from tests.agents.test_subagents import asked, review
from tests.repositories import Sandbox

SHOP = """import pytest

from shop.basket import Basket, total
from .money import round_up


class TestBasket:
    def test_empty(self):
        assert total(Basket()) == 0

    def test_total(self):
        basket = Basket([2, 2])

        assert round_up(total(basket)) == 5
"""
BASKET = """class Basket:
    def __init__(self, prices=()):
        self.prices = prices


def other():
    return 1


def total(basket):
    return sum(basket.prices)
"""
FILES = {
    "tests/test_shop.py": SHOP,
    "src/shop/basket.py": BASKET,
    "tests/money.py": "def round_up(price):\n    return price + 1\n",
}


def failed(title: str, path: str = "tests/test_shop.py", line: int = 1) -> Evidence:
    place = Location(path, line, line)
    return Evidence("junit:1", "junit", "junit", "failure", Severity.HIGH, title, "m", location=place)


def look(
    title: str,
    files: Mapping[str, str] = FILES,
    parts: Sequence[FileChange] = (),
    path: str = "tests/test_shop.py",
    line: int = 1,
) -> str:
    def read(name: str, side: Side) -> Sequence[str] | None:
        assert side == "head"
        return files[name].removesuffix("\n").split("\n") if name in files else None

    return look_at_tests([failed(title, path, line)], parts, read, files.__contains__)


def test_the_text_of_the_test_comes_first_and_then_what_it_uses_of_the_repository() -> None:
    assert look("tests.test_shop.TestBasket::test_total") == (
        "=== tests/test_shop.py in head, from line 11\n"
        "    def test_total(self):\n        basket = Basket([2, 2])\n\n"
        "        assert round_up(total(basket)) == 5\n"
        "=== src/shop/basket.py in head, from line 1\n"
        "class Basket:\n    def __init__(self, prices=()):\n        self.prices = prices\n"
        "=== src/shop/basket.py in head, from line 10\n"
        "def total(basket):\n    return sum(basket.prices)\n"
        "=== tests/money.py in head, from line 1\n"
        "def round_up(price):\n    return price + 1\n"
    )


def test_a_parametrised_test_is_found_by_its_name() -> None:
    assert "def test_empty" in look("TestBasket::test_empty[a-[b]]").splitlines()[1]


def test_where_no_test_has_the_name_the_lines_around_the_failure_are_shown() -> None:
    assert look("it works", line=12).startswith("=== tests/test_shop.py in head, from line 4\nfrom .money")
    assert look("it works") == ""
    assert look("it works", line=9_999) == ""
    assert look("test_total", path="absent.py") == ""


@pytest.mark.parametrize(
    ("path", "test", "imported", "source"),
    [
        (
            "web/cart.test.js",
            "import { sum } from './cart';\n\ntest('adds prices', () => {\n  expect(sum([2])).toBe(2);\n});\nnext();\n",
            "web/cart.js",
            "export function sumAll() {}\nexport function total1() {}\nexport const other = 1;\n",
        ),
        (
            "src/test/java/shop/CartTest.java",
            "import shop.Cart;\n\nclass CartTest {\n  @Test\n  public void adds_prices() {\n    new Cart();\n  }\n}\n",
            "src/main/java/shop/Cart.java",
            "package shop;\n\npublic class Cart {\n  int sum;\n}\n",
        ),
    ],
)
def test_other_languages_are_read_by_their_brackets(path: str, test: str, imported: str, source: str) -> None:
    name = "adds prices" if path.endswith("js") else "adds_prices"
    shown = look(f"suite::{name}", {path: test, imported: source}, path=path)
    first, *rest = shown.split("=== ")[1:]
    assert first.startswith(path) and name in first and first.rstrip().endswith(("});", "}"))
    assert "next();" not in first
    assert [text.partition(" ")[0] for text in rest] == ([imported] if "Cart.java" in imported else [])


def test_what_the_hunks_show_is_not_shown_again() -> None:
    lines = tuple(f"+{line}" for line in BASKET.splitlines())
    hunk = Hunk(0, 0, 1, len(lines), lines, "")
    part = FileChange(
        "src/shop/basket.py", None, ChangeStatus.ADDED, "000000", "100644", None, "h", hunks=(hunk,)
    )
    shown = look("test_total", parts=[part])
    assert "basket.py" not in shown and "money.py" in shown


def test_there_is_a_bound() -> None:
    body = "".join(f"    call_{n}({'x' * 90})\n" for n in range(49))
    tests = "".join(f"def test_{n}():\n{body}\n\n" for n in range(9))
    failures = [failed(f"t::test_{n}") for n in range(9)]
    shown = look_at_tests(failures, (), lambda *_: tests.split("\n"), lambda _: False)
    assert 0 < len(shown) <= MOST_TOKENS * 3


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=8), st.integers(0, 99))
def test_whatever_a_report_and_a_file_hold_nothing_raises(title: str, lines: list[str], line: int) -> None:
    files = {"tests/test_shop.py": "\n".join([*lines, "from . import a", "import ...b", title])}
    shown = look(title, files, line=line + 1)
    assert len(shown.encode("utf-8", "replace")) <= MOST_TOKENS * 3


def test_the_task_is_given_the_test_between_the_hunks_and_the_failures(sandbox: Sandbox) -> None:
    before = {"area.py": "def area(a, b):\n    return a * b\n", "tests/test_area.py": (
        "from area import area\n\n\ndef test_area():\n"
        "    assert area(2, 2) == 4\n"
    )}  # fmt: skip
    base = sandbox.commit(before)
    head = sandbox.commit({"area.py": before["area.py"].replace("*", "+")})
    evidence = failed("tests.test_area::test_area", "tests/test_area.py", 5)
    with ScriptedModel("reader") as model:
        review(sandbox, base, head, model, evidence=(evidence,))
        assert model.refused == []
    sent = json.dumps(asked(model, "sonnet")[0])
    assert "<tests-" in sent and "assert area(2, 2) == 4" in sent
    assert sent.index("<change-") < sent.index("<tests-") < sent.index("<failures-")
    assert "=== area.py in head" not in sent
