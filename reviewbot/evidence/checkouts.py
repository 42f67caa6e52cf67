"""Workflows as YAML: which steps bring in a pull request's code, who may start them, what ``env`` holds.

Imported only where there is something to judge, because PyYAML costs 0.03 s of CPU. All lines count from 1.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import yaml

from reviewbot.evidence.workflow_expressions import fold_expressions, is_guard
from reviewbot.evidence.workflow_scripts import (
    HEAD,
    NAMES,
    Checkout,
    Tainted,
    Value,
    bounded,
    judge_script,
    logical_lines,
)

MAXIMUM_CHARACTERS = 256 * 1024
MAXIMUM_DEPTH = 60
MAXIMUM_ALIASES = 20
MAXIMUM_CHECKOUTS = 200
Workflow = yaml.Node
"""The root of a workflow or an action."""

_COMPUTED = re.compile(r"\b(?:steps|needs)\.|\[")
_CHECKOUT_LINE = re.compile(r"(?:^|[\s{,\"'-])(?:ref|repository)[\"']? ?:")
_NUMBER = re.compile(r"\bgithub\.event\.(?:(?:pull_request|issue)\.)?number\b")
_NO_SHELL = str.maketrans("'\"`,[]()", " " * 8)


class _Composer(yaml.SafeLoader):
    """PyYAML's composer, bounded in depth and aliases."""

    depth = 0
    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.aliases += self.check_event(yaml.AliasEvent)
        if self.depth > MAXIMUM_DEPTH or self.aliases > MAXIMUM_ALIASES:
            raise ValueError("it is nested too deep or has too many aliases")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse_workflow(text: str) -> Workflow:
    """The root of a workflow or action, whose lines end in line feeds only.

    Raises ValueError, whose message is a clause, for what is too large, too deep or not YAML.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise ValueError(f"it has more than {MAXIMUM_CHARACTERS} characters")
    try:
        root = _Composer(yaml.reader.Reader.NON_PRINTABLE.sub("?", text)).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line} is not YAML: {error.problem}") from None
    except (yaml.YAMLError, OverflowError, RecursionError) as error:
        raise ValueError(f"it is not YAML ({type(error).__name__})") from None
    if root is None:
        raise ValueError("it is empty")
    return root


def find_triggers(root: Workflow) -> dict[str, int]:
    """The names under ``on``, each with its line."""
    on = _get(root, "on")
    if isinstance(on, yaml.ScalarNode):
        return {on.value: _first(on)}
    if isinstance(on, yaml.SequenceNode):
        return {item.value: _first(item) for item in on.value if isinstance(item, yaml.ScalarNode)}
    return {name: _first(key) for name, key, _ in _entries(on)}


def find_env(root: Workflow, route: Sequence[object], name: str) -> tuple[str, int] | None:
    """The value of ``env.NAME`` at a route such as ``("jobs", "test", "steps", 0)``, and its line."""
    node: yaml.Node | None = root
    found = _env(root).get(name.lower())
    for step in route:
        if isinstance(step, int):
            items = node.value if isinstance(node, yaml.SequenceNode) else ()
            node = items[step] if step < len(items) else None
        else:
            node = _get(node, str(step))
        found = _env(node).get(name.lower(), found)
    return (found.text, found.line) if found else None


def find_checkouts(root: Workflow) -> tuple[Checkout, ...]:
    """Every place of a workflow that brings the pull request's head, or its merge, into a run.

    Raises ValueError, whose message is a clause, where there are too many to judge.
    """
    jobs = _entries(_get(root, "jobs"))
    top = Tainted(False, _speaks_of_head((root, "env"))).within(_env(root))
    needs = top.needs
    for name, _, job in (*jobs, *jobs):  # twice: a job may stand before the one it needs
        tainted = _of_job(job, top)
        for output, key, value in _entries(_get(job, "outputs")):
            if (origins := tainted.origins(fold_expressions(_text(value)))) is not None:
                named = f"needs.{name}.outputs.{output}".lower()
                needs[named] = bounded({_first(key), *origins})
    found: dict[Checkout, None] = {}
    for _, _, job in jobs:
        for checkout in _judge_job(job, _of_job(job, top)):
            found[checkout] = None
            if len(found) > MAXIMUM_CHECKOUTS:
                raise ValueError(f"it has more than {MAXIMUM_CHECKOUTS} checkouts")
    return tuple(found)


def _of_job(job: yaml.Node, top: Tainted) -> Tainted:
    """What stands for the head in a job: its ``env``, what it needs, and the outputs of its steps."""
    tainted = top.inside(
        matrix=_speaks_of_head((job, "strategy")), knows_head=_speaks_of_head((job, "env"), (job, "steps"))
    ).within(_env(job))
    for step in _steps(job):
        name = fold_expressions(_text(_get(step, "id")))
        if name and (origins := _origins_of_step(step, tainted)) is not None:
            tainted.outputs[f"steps.{name}.outputs"] = origins
    return tainted


def _origins_of_step(step: yaml.Node, tainted: Tainted) -> tuple[int, ...] | None:
    """The lines of a step that speak of the head, and what those take it from; None if there are none."""
    inner = tainted.within(_env(step))
    script = _get(step, "run")
    rows = _rows(script) if isinstance(script, yaml.ScalarNode) else []
    for part in (_get(step, "with"), _get(step, "env")):
        rows += [
            (_first(key), _last(value), fold_expressions(_text(value))) for _, key, value in _entries(part)
        ]
    lines: set[int] = set()
    for first, last, text in rows:
        if (origins := inner.origins(text)) is not None:
            lines.update((first, last, *origins))
            bounded(lines)
    return bounded(lines) if lines else None


def _judge_job(job: yaml.Node, wide: Tainted) -> Iterator[Checkout]:
    guards = [_text(_get(job, "if"))]
    yield from _of_inputs(job, wide, guards)
    for step in _steps(job):
        tainted = wide.within(_env(step))
        within = [*guards, _text(_get(step, "if"))]
        yield from _of_inputs(step, tainted, within)
        yield from _of_script(_get(step, "run"), tainted, within)
        if _get(step, "uses"):
            yield from _of_program(_get(_get(step, "with"), "script"), tainted, within)


def find_checkout_lines(text: str) -> tuple[Checkout, ...]:
    """The same from the text alone, for a file that we cannot judge as YAML: it knows no ``env``, no ``if``.

    It returns at most MAXIMUM_CHECKOUTS: the caller calls such a file unread in any case.
    """
    lines = text.split("\n")
    commands = judge_script(logical_lines(lines, 1), Tainted(False, False), guarded=False)
    named = (
        Checkout(first, last)
        for first, last, line in logical_lines(lines, 1)
        if _CHECKOUT_LINE.search(line) and HEAD.search(line)
    )
    return tuple(dict.fromkeys(islice(chain(named, commands), MAXIMUM_CHECKOUTS)))


def _of_inputs(step: yaml.Node, tainted: Tainted, guards: Iterable[str]) -> Iterator[Checkout]:
    guarded = any(map(is_guard, guards))
    for name, key, value in _entries(_get(step, "with")) if _get(step, "uses") else ():
        if name.lower() not in ("ref", "repository"):
            continue
        text = fold_expressions(_text(value))
        origins = tainted.origins(text)
        if origins is None and name.lower() == "ref" and _NUMBER.search(text):
            origins = ()
        computed = _COMPUTED.search(text) or (tainted.knows_head and NAMES.search(text))
        if origins is not None or ("${{" in text and computed):
            yield Checkout(
                _first(key), max(_first(key), _last(value)), origins is not None, guarded, origins or ()
            )


def _of_script(node: yaml.Node | None, tainted: Tainted, guards: Iterable[str]) -> Iterator[Checkout]:
    if not isinstance(node, yaml.ScalarNode):
        return
    yield from judge_script(_rows(node), tainted, guarded=any(map(is_guard, guards)))


def _of_program(node: yaml.Node | None, tainted: Tainted, guards: Iterable[str]) -> Iterator[Checkout]:
    """The commands in a ``script`` of an action such as github-script, where a call may span lines."""
    if not isinstance(node, yaml.ScalarNode):
        return
    guarded = any(map(is_guard, guards))
    rows = _rows(node, program=True)
    found = tuple(judge_script(rows, tainted, guarded=guarded))
    if not found and rows:
        whole = " ".join(" ".join(text for _, _, text in rows).split())
        found = tuple(judge_script([(_first(node), _last(node), whole)], tainted, guarded=guarded))
    yield from found


def _rows(node: yaml.ScalarNode, *, program: bool = False) -> list[tuple[int, int, str]]:
    """The command lines of a script, with their lines in the file."""
    text = re.sub(r"(?m)^\s*//.*$", "", node.value).translate(_NO_SHELL) if program else node.value
    rows = text.split("\n")
    first, last = _first(node), _last(node)
    if node.style == "|":
        return logical_lines(rows, first + 1)
    # folded: a line of the value is not a line of the file
    return [(first, last, line) for _, _, line in logical_lines(rows, 1)]


def _speaks_of_head(*places: tuple[yaml.Node, str]) -> bool:
    return any(
        HEAD.search(fold_expressions(text)) for node, key in places for text in _scalars(_get(node, key))
    )


def _scalars(root: yaml.Node | None) -> Iterator[str]:
    waiting: list[yaml.Node | None] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node.value
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += (value for _, value in node.value)


def _entries(node: yaml.Node | None) -> list[tuple[str, yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _get(node: yaml.Node | None, wanted: str) -> yaml.Node | None:
    return next((value for name, _, value in _entries(node) if name == wanted), None)


def _steps(job: yaml.Node) -> list[yaml.Node]:
    steps = _get(job, "steps")
    return steps.value if isinstance(steps, yaml.SequenceNode) else []


def has_key(root: Workflow, wanted: str) -> bool:
    """Whether a mapping has this key at its root, in any case, or may have it through a merge (``<<``)."""
    return any(name.lower() in (wanted, "<<") for name, _, _ in _entries(root))


def _env(node: yaml.Node | None) -> dict[str, Value]:
    return {
        name.lower(): Value(_text(value), _first(key)) for name, key, value in _entries(_get(node, "env"))
    }


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _first(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _last(node: yaml.Node) -> int:
    """A block scalar's end mark stands at the beginning of the line after it."""
    return max(node.end_mark.line + (node.end_mark.column > 0), _first(node))
