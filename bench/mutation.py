"""Change the code that decides by one small fault at a time, and count which the tests do not see.

    python bench/mutation.py                          every mutant of every module below, as a Markdown table
    python bench/mutation.py --module verdict/gate    one module (repeatable); --line N: of some lines only
    python bench/mutation.py --most N --seconds S     a sample of N a module, S seconds a module
    python bench/mutation.py --list-survivors         and where each survivor is, and what it changes

A mutant is another comparison or operator, `or` for `and`, a condition that is left out, one more or one
less `not`, `min` for `max`, a number that is one larger, `True` for `False`. It is killed where a test of
the module's own fails, or cannot be collected. Every mutant has a process of its own, forked from one in
which the tests are collected: there it takes the place of the function's code, and those tests run, quickest
first, that run its line. What stands outside functions is imported anew, with all tests. A sample is drawn
with a fixed seed.
"""

import argparse
import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import CO_OPTIMIZED
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SEED = 8
MODULE_SECONDS = 120
"""For all tests of a module, where what stands outside its functions has the fault."""

TARGETS = {
    "verdict/gate": ("tests/verdict/test_gate.py",),
    "verdict/grounding": ("tests/verdict/test_grounding_places.py", "tests/verdict/test_grounding.py"),
    "verdict/quotes": (
        "tests/verdict/test_quotes_places.py",
        "tests/verdict/test_weakened_edits.py",
        "tests/verdict/test_quotes.py",
    ),
    "spend/budget": ("tests/spend/test_budget.py",),
    "agents/conversation/loop": (
        "tests/agents/conversation/test_loop_bounds.py",
        "tests/agents/conversation/test_clearing.py",
        "tests/agents/conversation/test_loop.py",
        "tests/agents/conversation/test_loop_on_the_wire.py",
    ),
}
"""Modules by their path in the package, and the tests that must see a fault in them."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
_CHOSEN = {"min": "max", "max": "min"}

Function = tuple[str, int]
"""A function by its qualified name and first line."""


@dataclass(frozen=True)
class Mutant:
    """A module with one fault: its lines, what it says, the functions that it changes (none: the rest)."""

    lines: range
    said: str
    module: CodeType
    functions: dict[Function, CodeType]


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Fields of the node with another value each, one fault at a time."""
    match node:
        case ast.BoolOp(op=op, values=values):
            yield "op", ast.Or() if isinstance(op, ast.And) else ast.And()
            without = ast.Constant(isinstance(op, ast.And))
            for at, value in enumerate(values):
                if not isinstance(value, ast.Constant):
                    yield "values", [*values[:at], without, *values[at + 1 :]]
        case ast.Compare(ops=ops):
            known = [(at, _COMPARED[type(op)]) for at, op in enumerate(ops) if type(op) in _COMPARED]
            yield from (("ops", [*ops[:at], other(), *ops[at + 1 :]]) for at, other in known)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operand", ast.UnaryOp(ast.Not(), operand)
        case _:
            yield from _changed_values(node)


def _changed_values(node: ast.AST) -> Iterator[tuple[str, object]]:
    match node:
        case ast.BinOp(op=op) if type(op) in _COUNTED:
            yield "op", _COUNTED[type(op)]()
        case ast.Call(func=ast.Name(id=name)) if name in _CHOSEN:
            yield "func", ast.Name(_CHOSEN[name], ast.Load())
        case ast.Constant(value=bool() as value):
            yield "value", not value
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1


def key_of(code: CodeType) -> Function:
    """The name of a function's code."""
    return code.co_qualname, code.co_firstlineno


def functions(code: CodeType) -> dict[Function, CodeType]:
    """The functions and methods of a module, without those inside others."""
    found: dict[Function, CodeType] = {}
    for inner in code.co_consts:
        if isinstance(inner, CodeType) and not inner.co_flags & CO_OPTIMIZED:
            found |= functions(inner)
        elif isinstance(inner, CodeType) and not inner.co_name.startswith("<"):
            found[key_of(inner)] = inner
    return found


def mutants(file: Path) -> Iterator[Mutant]:
    """Every mutant of a module whose byte code is another one."""
    tree = ast.parse(file.read_text())
    whole = compile(tree, str(file), "exec")
    as_is = functions(whole)
    for node in [*ast.walk(tree)]:
        for field, value in changes(node):
            before, kept = ast.unparse(node), getattr(node, field)
            setattr(node, field, value)
            said = f"`{before}` -> `{ast.unparse(node)}`"
            code = compile(ast.fix_missing_locations(tree), str(file), "exec")
            setattr(node, field, kept)
            changed = {key: inner for key, inner in functions(code).items() if inner != as_is[key]}
            if code != whole:
                assert isinstance(node, ast.expr) and node.end_lineno
                yield Mutant(range(node.lineno, node.end_lineno + 1), said, code, changed)


Limited = tuple[pytest.Item, float]
"""A test and the seconds that it may take, where 0 is no limit."""

Send = Callable[[object], None]


def in_fork(work: Callable[[Send], object], seconds: float = 0) -> Iterator[Any]:
    """What ``work`` sends from a process of its own, as JSON; then what ended it early."""
    sys.stdout.flush()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        pipe = os.fdopen(write, "w")
        code = 1
        with suppress(BaseException):
            work(lambda item: print(json.dumps(item), file=pipe, flush=True))
            code = 0
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as lines:
        yield from map(json.loads, lines)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        yield signal.Signals(-status).name if status < 0 else "error"


def run_pytest(tests: Sequence[str], plugin: object = None) -> int:
    """Run tests and print nothing; pytest's exit code."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    plugins = [plugin] if plugin else []
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests], plugins=plugins))


class Trials:
    """A pytest plugin: where the collected tests would run, they are run for each mutant instead.

    Sends whether all tests pass without a fault; then, of each mutant, its number and what became of it.
    """

    def __init__(self, file: Path, tried: Sequence[Mutant], until: float, send: Send) -> None:
        self.file, self.tried, self.until, self.send = str(file), tried, until, send

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Nothing of ours runs in this process, so that each fork begins from the same state."""
        *measured, loaded = in_fork(partial(self._measure, session))
        if len(measured) < len(session.items):
            return True
        for name in loaded:
            with suppress(Exception):  # some modules are made by hand
                importlib.import_module(name)
        live = [item for item in gc.get_objects() if isinstance(item, FunctionType)]
        by_key = {key_of(item.__code__): item for item in live if item.__code__.co_filename == self.file}
        tests = sorted(zip(measured, session.items, strict=True), key=lambda pair: pair[0][0])
        self.send(True)
        for number, mutant in enumerate(self.tried):
            if mutant.functions and time.monotonic() < self.until:
                limited = [
                    (item, 10 + 5 * seconds)
                    for (seconds, run), item in tests
                    if any(line in run for line in mutant.lines)
                ]
                [end] = in_fork(partial(self._try, limited, mutant, by_key))
                self.send((number, end))
        return True

    def _measure(self, session: pytest.Session, send: Send) -> None:
        """Send each test's seconds and the lines that it runs; at the end all that got imported."""
        run: set[int] = set()

        def note(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_code.co_filename == self.file:
                run.add(frame.f_lineno)
                return note
            return None

        threading.settrace(note)
        for item in session.items:
            run.clear()
            start = time.monotonic()
            sys.settrace(note)
            passed = run_items([(item, 0)])
            sys.settrace(None)
            if passed:
                send((time.monotonic() - start, [*run]))
        send([*sys.modules])

    @staticmethod
    def _try(
        seeing: Sequence[Limited], mutant: Mutant, live: dict[Function, FunctionType], send: Send
    ) -> None:
        for key, code in mutant.functions.items():
            live[key].__code__ = code
        send("survived" if run_items(seeing) else "killed")


def run_items(items: Sequence[Limited]) -> bool:
    """Whether these tests pass, up to the first that does not; ends the process where one takes too long."""
    for (item, seconds), following in zip_longest(items, [item for item, _ in items[1:]]):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            return False
    return True


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another code."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of the mutant, for its name only."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant as the module."""
        exec(self.code, module.__dict__)


def import_and_try(name: str, mutant: Mutant, tests: Sequence[str], send: Send) -> None:
    """Send what becomes of a mutant outside functions, where all tests run on it."""
    sys.meta_path.insert(0, Finder(name, mutant.module))
    send("killed" if run_pytest(tests) else "survived")


def try_module(target: str, tried: Sequence[Mutant], seconds: float) -> dict[int, str]:
    """What became of each mutant that there was time for, by its number.

    Raises SystemExit where the tests fail without any fault, as then every mutant would seem killed.
    """
    file, tests, until = ROOT / f"reviewbot/{target}.py", TARGETS[target], time.monotonic() + seconds
    assert not any(name.startswith("reviewbot") for name in sys.modules)
    results = in_fork(lambda send: run_pytest(tests, Trials(file, tried, until, send)))
    if next(results, None) is not True:
        sys.exit(f"The tests of {target} fail as it is.")
    ends: dict[int, str] = dict(results)
    for number, mutant in enumerate(tried):
        if not mutant.functions and time.monotonic() < until:
            work = partial(import_and_try, f"reviewbot.{target.replace('/', '.')}", mutant, tests)
            [ends[number]] = in_fork(work, MODULE_SECONDS)
    return ends


def load_libraries() -> None:
    """Import what the tests need once, and nothing of ours."""
    for name in ("anthropic", "hypothesis", "pydantic"):
        importlib.import_module(name)


def main() -> None:
    """Print the table, and the survivors where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--module", choices=TARGETS, action="append", help="only this one (repeatable)")
    parser.add_argument("--line", type=int, action="append", help="only mutants of this line (repeatable)")
    parser.add_argument("--most", type=int, default=10_000, metavar="N", help="a module (default: all)")
    parser.add_argument(
        "--seconds", type=float, default=3_600, metavar="S", help="a module (default: an hour)"
    )
    parser.add_argument("--list-survivors", action="store_true", help="file, line and change of each")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    load_libraries()
    print("| module | mutants | tried | killed | timed out or died | survived | seconds |")
    print("|---|---|---|---|---|---|---|")
    listed = []
    for target in options.module or TARGETS:
        file = f"reviewbot/{target}.py"
        every = [each for each in mutants(ROOT / file) if each.lines[0] in (options.line or each.lines)]
        tried = random.Random(SEED).sample(every, min(options.most, len(every)))
        start = time.monotonic()
        ends = try_module(target, tried, options.seconds)
        count = Counter(ends.values())
        died = len(ends) - count["killed"] - count["survived"]
        numbers = len(every), len(ends), count["killed"], died, count["survived"]
        print(f"| `{target}`", *numbers, f"{time.monotonic() - start:.0f} |", sep=" | ", flush=True)
        alive = [(tried[number], end) for number, end in ends.items() if end != "killed"]
        alive.sort(key=lambda pair: pair[0].lines[0])
        listed += [f"{file}:{mutant.lines[0]}: {mutant.said} ({end})" for mutant, end in alive]
    if options.list_survivors:
        print("", *(listed or ["No mutant survived."]), sep="\n")


if __name__ == "__main__":
    main()
