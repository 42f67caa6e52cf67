"""Change the code that decides by one small fault at a time, and count which the tests do not see.

    python bench/mutation.py                          a sample of every module below, as a Markdown table
    python bench/mutation.py --module verdict/gate    one module
    python bench/mutation.py --most N --seconds S     at most N mutants a module, S seconds in all

A mutant is one comparison, one `and`/`or`, one `not`, one number, one `True`/`False` or one plus that is
another. It is killed where the module's own tests fail or run into a minute. Each runs in a fork of a process
that has pytest and the tests' libraries loaded. Results are kept below .cache by the text of module and
tests, so that a second run tries only what changed. Which mutants are tried is drawn with a fixed seed.
"""

import argparse
import ast
import copy
import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/mutation.json"
LIMIT_SECONDS = 60
TARGETS = {
    "verdict/gate": ("tests/verdict/test_gate.py",),
    "verdict/grounding": ("tests/verdict/test_grounding.py",),
    "verdict/quotes": ("tests/verdict/test_quotes.py", "tests/verdict/test_grounding.py"),
    "agents/budget": ("tests/agents/test_budget.py",),
    "agents/loop": ("tests/agents/test_loop.py",),
}
"""Modules by their path in the package, and the tests that must see a fault in them."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
}  # fmt: skip


def change(node: ast.AST) -> ast.AST | None:
    """The node with one fault, or None where it has nothing to change."""
    made = copy.deepcopy(node)
    match made:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARED:
            made.ops[0] = _COMPARED[type(op)]()
        case ast.BoolOp():
            made.op = ast.Or() if isinstance(made.op, ast.And) else ast.And()
        case ast.BinOp(op=op) if type(op) in _COUNTED:
            made.op = _COUNTED[type(op)]()
        case ast.UnaryOp(op=ast.Not()):
            return made.operand
        case ast.Constant(value=bool()):
            made.value = not made.value
        case ast.Constant(value=int() | float() as value):
            made.value = value + 1
        case _:
            return None
    return made


class _Swap(ast.NodeTransformer):
    """Puts the fault into the node with this number, counted over all that can have one."""

    def __init__(self, wanted: int) -> None:
        self.left, self.said = wanted, ""

    def visit(self, node: ast.AST) -> ast.AST:
        made = change(node)
        if made is not None:
            self.left -= 1
            if self.left == -1:
                self.said = f"line {node.lineno}: `{ast.unparse(node)}` -> `{ast.unparse(made)}`"  # type: ignore[attr-defined]
                return made
        return self.generic_visit(node)


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Every mutant of a module: what it changes, and its source. String annotations stay as they are."""
    for number in range(sum(change(node) is not None for node in ast.walk(ast.parse(source)))):
        swap = _Swap(number)
        tree = swap.visit(ast.parse(source))
        if swap.said:
            yield swap.said, ast.unparse(ast.fix_missing_locations(tree))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of the mutant, for its name only."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant's source as the module."""
        exec(compile(self.source, f"<mutant of {self.name}>", "exec"), module.__dict__)


def is_killed(name: str, source: str, tests: Sequence[str]) -> bool:
    """Whether the tests fail on this source, in a process of their own."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.alarm(LIMIT_SECONDS)
        sys.meta_path.insert(0, _Finder(name, source))
        import pytest  # noqa: PLC0415 - the parent has it

        # pytest's exit code 1: tests failed; 2 and more: they could not even be collected.
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])))
    return os.waitpid(child, 0)[1] != 0


def load_libraries() -> None:
    """Import what every test needs once, and nothing of ours."""
    import anthropic  # noqa: PLC0415 - once, and not for --help
    import hypothesis  # noqa: PLC0415 - once, and not for --help
    import pydantic  # noqa: PLC0415 - once, and not for --help
    import pytest  # noqa: PLC0415 - once, and not for --help

    assert all((anthropic, hypothesis, pydantic, pytest))
    assert not any(name.startswith("reviewbot") for name in sys.modules)


def run_module(target: str, most: int, until: float, kept: dict[str, bool]) -> tuple[int, int, list[str]]:
    """Mutants that exist, those that were tried, and what the surviving ones change.

    Raises SystemExit where the tests fail without any fault, as then every mutant would seem killed.
    """
    file, tests = ROOT / f"reviewbot/{target}.py", TARGETS[target]
    source, name = file.read_text(), f"reviewbot.{target.replace('/', '.')}"
    if is_killed(name, source, tests):
        sys.exit(f"The tests of {target} fail as it is.")
    every = [*mutants(source)]
    read = "\0".join([source, *((ROOT / test).read_text() for test in tests)])
    digest = hashlib.sha256(read.encode()).hexdigest()[:16]
    chosen = random.Random(8).sample(every, min(most, len(every)))
    tried, survivors = 0, []
    for said, mutant in chosen:
        key = f"{target} {digest} {said}"
        if key not in kept:
            if time.monotonic() > until:
                continue
            kept[key] = is_killed(name, mutant, tests)
            CACHE.parent.mkdir(exist_ok=True)
            CACHE.write_text(json.dumps(kept, indent=0))
        tried += 1
        survivors += [] if kept[key] else [said]
    return len(every), tried, sorted(survivors)


def main() -> None:
    """Print the table and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--module", choices=TARGETS, action="append", help="only this one (repeatable)")
    parser.add_argument("--most", type=int, default=60, metavar="N", help="mutants a module (default: 60)")
    parser.add_argument("--seconds", type=float, default=3_600, metavar="S", help="in all (default: an hour)")
    options = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    load_libraries()
    kept: dict[str, bool] = {}
    with suppress(OSError, ValueError):
        kept = json.loads(CACHE.read_text())
    until, left = time.monotonic() + options.seconds, []
    print("| module | mutants | tried | killed | survived |\n|---|---|---|---|---|")
    for target in options.module or TARGETS:
        every, tried, survivors = run_module(target, options.most, until, kept)
        print(f"| `{target}` | {every} | {tried} | {tried - len(survivors)} | {len(survivors)} |", flush=True)
        left += [f"- `{target}` {said}" for said in survivors]
    print("\n".join(["", "Survivors:", *left] if left else ["", "No mutant survived."]))


if __name__ == "__main__":
    main()
