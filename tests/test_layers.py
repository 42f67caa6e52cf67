"""The house rules of imports: who may import whom, and which module is the one door to what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "reviewbot"

ROWS = [
    ("testing",),
    ("severity", "text"),
    ("spend.caps", "claims", "ledger"),
    ("core", "errors", "testlike", "json_rules", "records"),
    ("earlier", "telemetry", "secrets", "policy.patterns"),
    ("credentials",),
    ("state_file", "signals", "settings", "journal", "templates", "engine"),
    ("hooks", "policy"),
    ("github",),
    ("change",),
    ("request", "scan.options"),
    ("spend",),
    ("evidence", "agents", "verdict"),
    ("prove.result",),
    ("publish",),
    ("prove",),
    ("steps",),
    ("patch_review",),
    ("pipeline", "doctor"),
    ("replay",),
    ("scan",),
    ("action",),
    ("options",),
    ("cli",),
    ("__main__",),
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
"""A module of a folder that has a row of its own stands there, the others in their folder's."""
FOLDERS = {
    "change",
    "evidence",
    "agents",
    "verdict",
    "publish",
    "github",
    "policy",
    "secrets",
    "spend",
    "telemetry",
    "scan",
    "prove",
    "action",
    "testing",
}
SAME_ROW = {("errors", "core")}
"""Imports inside one row; the folders of the middle row do not import each other."""

DOORS = {
    "subprocess": {
        "change.git_calls",
        "change.fetch",
        "evidence.analyzers",
        "prove.sandbox",
        "agents.api.credential_helper",
    },
    "anthropic": {"agents.api.claude", "agents.api.client", "agents.api.federation"},
    "github": {"github.api", "github.connection"},
    "unidiff": {"change.diff"},
    "jinja2": {"templates"},
    "yaml": {"policy.source", "evidence.checkouts"},
    "pydantic": {
        "policy.file",
        "policy.model",
        "agents.answers",
        "agents.spec",
        "agents.verify_answer",
        "prove.proof_file",
    },
    "pathspec": {"policy.patterns"},
    "defusedxml": {"evidence.junit"},
    "rich": {"publish.terminal"},
    "sqlite3": {"state_file"},
    "opentelemetry": {"telemetry.spans", "telemetry.export"},
    "socket": {"testing.http_handler"},
    "urllib.request": set(),
    "http": {"testing.http_handler", "testing.server"},
    "requests": {"github.api", "github.connection", "github.files"},
}
PINS = {
    "verdict.gate": {"core", "errors"},
    "verdict.coverage": {"core", "verdict.before"},
    "verdict.before": {"core", "earlier"},
    "verdict.baseline": {"core", "errors", "json_rules", "verdict.gate"},
    "verdict.memory": {"core", "errors", "state_file", "verdict.baseline"},
    "verdict.grounding": {"core", "errors", "secrets.masking", "change.git", "change.content"},
}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every module a file imports: lazily, under TYPE_CHECKING, and by importlib with a literal name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            literal = node.args[0] if node.args else None
            assert isinstance(literal, ast.Constant), f"line {node.lineno}: an import that cannot be checked"
            yield str(literal.value), node.lineno


def own_module(name: str, known: set[str]) -> str | None:
    """``reviewbot.change.git.Repository`` -> ``change.git``."""
    parts = name.split(".")
    if parts[0] != "reviewbot":
        return None
    for end in range(len(parts), 1, -1):
        if ".".join(parts[1:end]) in known:
            return ".".join(parts[1:end])
    return None


def violations(trees: dict[str, ast.Module]) -> list[str]:
    found = []
    known = set(trees)
    for name, tree in trees.items():
        for imported, line in imports(tree):
            target = own_module(imported, known)
            if target is not None:
                found += direction_fault(name, target, line)
            else:
                found += door_fault(name, imported, line)
    return found


def row_name(module: str) -> str:
    return module if module in RANK else module.split(".", maxsplit=1)[0]


def direction_fault(name: str, target: str, line: int) -> list[str]:
    here, there = row_name(name), row_name(target)
    faults = []
    if name in PINS and target not in PINS[name]:
        faults.append(f"{name}:{line} may import only {sorted(PINS[name])}, not {target}")
    if here == there and here in FOLDERS:
        return faults
    if RANK[there] > RANK[here] or (
        RANK[there] == RANK[here] and (there, here) not in SAME_ROW | {(b, a) for a, b in SAME_ROW}
    ):
        faults.append(f"{name}:{line} must not import {target}")
    return faults


def door_fault(name: str, imported: str, line: int) -> list[str]:
    for door, holders in DOORS.items():
        if (imported == door or imported.startswith(f"{door}.")) and name not in holders:
            return [f"{name}:{line} imports {imported}, whose door is {sorted(holders) or 'closed'}"]
    return []


def cycles(trees: dict[str, ast.Module]) -> list[str]:
    known = set(trees)
    edges = {
        name: {
            target
            for imported, _ in imports(tree)
            if (target := own_module(imported, known)) and target != name
        }
        for name, tree in trees.items()
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> list[str]:
        if name in path:
            return [" -> ".join((*path[path.index(name) :], name))]
        if name in done:
            return []
        found = [cycle for target in sorted(edges[name]) for cycle in walk(target, (*path, name))]
        done.add(name)
        return found

    return [cycle for name in sorted(edges) for cycle in walk(name, ())]


def test_every_module_has_its_row() -> None:
    assert {row_name(name) for name in modules()} <= set(RANK)


def test_imports_go_down_and_outside_things_come_in_by_their_door() -> None:
    assert violations(modules()) == []


def test_there_is_no_import_cycle() -> None:
    assert cycles(modules()) == []


def test_no_module_is_too_long_and_the_story_is_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path.relative_to(PACKAGE)): n for path, n in lengths.items() if n > 380} == {}
    assert lengths[PACKAGE / "pipeline.py"] < 200


@pytest.mark.parametrize(
    ("module", "source", "words"),
    [
        ("core", "import reviewbot.pipeline", "must not import pipeline"),
        ("evidence.ruff", "from reviewbot.verdict import gate", "must not import verdict.gate"),
        (
            "change.diff",
            "def f():\n    from reviewbot.publish.files import render",
            "must not import publish.files",
        ),
        (
            "change.git",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import reviewbot.cli",
            "must not import cli",
        ),
        (
            "verdict.gate",
            "import importlib\nimportlib.import_module('reviewbot.change.git')",
            "may import only",
        ),
        ("verdict.gate", "import subprocess", "whose door is"),
        ("cli", "def f():\n    import unidiff.patch", "whose door is"),
        ("cli", "import urllib.request", "whose door is closed"),
    ],
)
def test_a_planted_violation_is_seen(module: str, source: str, words: str) -> None:
    found = violations({**modules(), module: ast.parse(source)})
    assert any(words in fault for fault in found), found


def test_a_planted_cycle_is_seen() -> None:
    trees = {**modules(), "change.names": ast.parse("import reviewbot.change.git")}
    trees["change.git"] = ast.parse("import reviewbot.change.diff")
    trees["change.diff"] = ast.parse("import reviewbot.change.names")
    assert cycles(trees)
