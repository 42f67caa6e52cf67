"""The output of pytest and unittest -> failed tests. Pure.

Formats: https://docs.pytest.org/en/stable/how-to/output.html and unittest.TextTestRunner.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from reviewbot.evidence.logs.lines import LogFailure, Told, keep_lines, merge, number

_RULE = re.compile(r"=+ (?:.{1,200} )?=+$")
_SECTION = re.compile(r"=+ (?:FAILURES|ERRORS) =+$")
_TITLE = re.compile(r"_+ (?=.*[^_ ])(.{1,1000}) _+$")
_NODE = r"([^\s:][^:]{0,400}?\.py)(?:::([^\[\n]{1,500}?(?:\[.{0,500}?\])?))?"
_SUMMARY = re.compile(rf"(FAILED|ERROR|RERUN) {_NODE}(?: - (.*))?$")
_VERBOSE = re.compile(rf"(?:\[gw\d+\] \[ *\d+%\] )?{_NODE} (FAILED|ERROR|RERUN)(?: +\[ *\d+%\])?$")
_WORKER = re.compile(rf"\[gw\d+\] \[ *\d+%\] (FAILED|ERROR|RERUN) {_NODE} *$")
_SUBTEST = re.compile(rf"SUBFAILED((?:\[.{{0,300}}?\])? ?(?:\(.{{0,300}}?\))?) {_NODE}(?: - (.*))?$")
_END = re.compile(r"(?:=+ )?((?:\d{1,9} [a-z]+(?: [a-z]+)?(?:, )?)+) in [\d.]+s")
_COUNT = re.compile(r"(\d{1,9}) ([a-z]+(?: [a-z]+)?)")
_NAMESAKES = 50
_PHASE = re.compile(r"ERROR (?:at (?:setup|teardown) of|collecting) (.+)$")
_PLACE = re.compile(r"(\S.{0,400}?\.py):(\d{1,7}): ")

_CASE = re.compile(r"(FAIL|ERROR): (\S{1,300})(?: \(([^)\n]{1,500})\))?(.{0,300})$")
_BAR = re.compile(r"(={70}|-{70})$")
_RAN = re.compile(r"Ran (\d{1,9}) tests? in ")
_ENDED = re.compile(r"FAILED \(([a-z =,\d]{1,200})\)$")
_ENDED_COUNT = re.compile(r"([a-z][a-z ]{0,40})=(\d{1,9})")


def parse_pytest(lines: Sequence[str]) -> Told:
    """Read what pytest printed; parts of its output may be missing (``--tb=no``, ``-q``, a cut log)."""
    named, rerun = _read_named(lines)
    failures = merge(_join(list(_read_sections(lines)), named))
    tests = failed = skipped = 0
    ended = False
    for line in lines:
        if line[:1] in "=0123456789" and (end := _END.match(line)):
            counts = {what: number(count) for count, what in _COUNT.findall(end[1])}
            bad = sum(counts.get(word, 0) for word in ("failed", "error", "errors"))
            if not counts.keys() & {"passed", "failed", "error", "errors", "skipped", "deselected"}:
                continue
            ended = True
            tests += bad + counts.get("passed", 0) + counts.get("skipped", 0)
            failed, skipped = failed + bad, skipped + counts.get("skipped", 0)
    ids = {failure.id for failure in failures}
    return Told(
        failures=failures,
        flaky=tuple(dict.fromkeys(one for one in rerun if one not in ids)),
        tests=tests,
        failed=failed if ended else None,
        skipped=skipped,
        known=ended or bool(failures),
    )


def _read_named(lines: Sequence[str]) -> tuple[list[LogFailure], list[str]]:
    """Failures by their node id, as the short summary and the verbose progress name them; and reruns."""
    named: list[LogFailure] = []
    rerun: list[str] = []
    for at, line in enumerate(lines):
        if not (".py" in line and any(word in line for word in ("FAILED", "ERROR", "RERUN"))):
            continue
        if found := _SUMMARY.match(line):
            word, file, name, message = found.groups()
        elif found := _SUBTEST.match(line):
            part, file, name, message = found.groups()
            word, name = "FAILED", f"{name} {part.strip()}"
        elif found := _VERBOSE.match(line):
            file, name, word = found.groups()
            message = ""
        elif found := _WORKER.match(line):
            word, file, name = found.groups()
            message = ""
        else:
            continue
        kind: Literal["failure", "error"] = "error" if word == "ERROR" else "failure"
        owner, last = _split_node(name or "")
        module = re.sub(r"\.py$", "", file).replace("/", ".").replace("\\", ".")
        scope = ".".join(part for part in (module, owner.replace("::", ".")) if part)
        failure = LogFailure(
            "pytest", last or "collection", at, scope, kind, file, 0, (), (message or "").strip()
        )
        if word == "RERUN":
            rerun.append(failure.id)
        else:
            named.append(failure)
    return named, rerun


def _read_sections(lines: Sequence[str]) -> Iterator[tuple[str, LogFailure]]:
    """Each titled block between FAILURES or ERRORS and the next rule, with its title."""
    title, start, inside = "", 0, False
    for at, line in enumerate([*lines, "= end ="]):
        is_title = inside and line.startswith("_") and _TITLE.match(line)
        is_end = line.startswith("=") and _RULE.match(line)
        if (is_title or is_end) and title:
            yield title, _of_block(title, start, lines[start + 1 : at])
            title = ""
        if is_end:
            inside = _SECTION.match(line) is not None
        elif is_title:
            title, start = is_title[1].strip(), at


def _of_block(title: str, at: int, block: Sequence[str]) -> LogFailure:
    """A failure as its block tells it: the first place is in the test, ``E`` lines say what happened."""
    phase = _PHASE.match(title)
    name = phase[1] if phase else title
    place = next((found for line in block if (found := _PLACE.match(line))), None)
    said = next((line[1:].strip() for line in block if line.startswith("E  ")), "")
    file = name if name.endswith(".py") else place[1] if place else ""
    owner, _, last = _split_parametrised(name)
    if name.endswith(".py"):
        owner, last = re.sub(r"\.py$", "", name).replace("/", "."), "collection"
    return LogFailure(
        "pytest", last, at, owner, "error" if phase else "failure", file, 0, keep_lines(block), said
    )


def _split_node(name: str) -> tuple[str, str]:
    """``TestA::test_b[c::d]`` -> ``TestA`` and ``test_b[c::d]``."""
    head = name.partition("[")[0]
    owner = head.rpartition("::")[0]
    return owner, name[len(owner) :].removeprefix("::")


def _split_parametrised(name: str) -> tuple[str, str, str]:
    """The class before the first bracket, and the rest: brackets may hold points of their own."""
    head = re.split(r"[\[(]", name, maxsplit=1)[0]
    owner, dot, last = head.rpartition(".")
    return owner, dot, last + name[len(head) :]


def _join(blocks: list[tuple[str, LogFailure]], named: list[LogFailure]) -> Iterator[LogFailure]:
    """Blocks with the node ids they belong to, in order: several files may hold a test of one name."""
    waiting: dict[str, list[LogFailure]] = {}
    for one in merge(named):
        waiting.setdefault(one.name, []).append(one)
    for _, block in blocks:
        own = next((one for one in waiting.get(block.name, [])[:_NAMESAKES] if _is_of(one, block)), None)
        if own is None:
            yield block
            continue
        waiting[own.name].remove(own)
        message = own.message or block.message
        yield replace(own, at=block.at, lines=block.lines, message=message, kind=block.kind)
    yield from (one for rest in waiting.values() for one in rest)


def _is_of(named: LogFailure, block: LogFailure) -> bool:
    return not block.owner or named.owner == block.owner or named.owner.endswith(f".{block.owner}")


def parse_unittest(lines: Sequence[str]) -> Told:
    """Read what ``python -m unittest`` (or Django's runner) printed."""
    failures = tuple(_read_cases(lines))
    tests = failed = skipped = 0
    ended = False
    for line in lines:
        if line.startswith("Ran ") and (ran := _RAN.match(line)):
            ended, tests = True, tests + number(ran[1])
        elif ended and line.startswith("FAILED (") and (end := _ENDED.match(line)):
            counts = dict(_ENDED_COUNT.findall(end[1]))
            failed += number(counts.get("failures")) + number(counts.get("errors"))
            skipped += number(counts.get("skipped"))
    return Told(merge(failures), (), tests, failed if ended else None, skipped, known=ended or bool(failures))


def _read_cases(lines: Sequence[str]) -> Iterator[LogFailure]:
    """``FAIL: test_a (mod.Class.test_a)`` between its bars, with the traceback below it."""
    for at, line in enumerate(lines):
        if not line.startswith(("FAIL: ", "ERROR: ")) or at == 0 or not _BAR.match(lines[at - 1]):
            continue
        found = _CASE.match(line)
        if found is None:
            continue
        word, name, owner, more = found.groups()
        start = next((n for n in range(at + 1, min(at + 5, len(lines))) if _BAR.match(lines[n])), at)
        end = next((n for n in range(start + 1, len(lines)) if _BAR.match(lines[n])), len(lines))
        block = keep_lines(lines[start + 1 : end])
        owner = (owner or "").removesuffix(f".{name}")
        yield LogFailure(
            "unittest",
            name + more.rstrip(),
            at,
            owner,
            "failure" if word == "FAIL" else "error",
            lines=block,
            message=next((row.strip() for row in reversed(block) if row and row[0] not in " \t~^"), ""),
        )
