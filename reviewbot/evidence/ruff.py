"""Python files through ruff: its security rules, and complexity and length as advice.

Not selected: S404 and the other S4xx (an import is no fault), S603 and S606 (every subprocess call
without a shell, safe or not), S607 (a bare program name: near every script), S320 (removed by ruff).
"""

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from reviewbot.core import Evidence, Location, Mask, Rejected, Severity, Sha
from reviewbot.evidence.python_text import Point, Syntax, runs_value_in_query, takes_request_data
from reviewbot.evidence.sources import (
    Bench,
    Completed,
    Outcome,
    Placed,
    Report,
    Rule,
    Source,
    clean,
    in_batches,
    line_numbers,
    lower,
    make_evidence,
    parse_json,
    parse_source,
    unfold,
)
from reviewbot.testlike import is_trial

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO
SYNTAX = "invalid-syntax"
_SEEMS_SAFE = "seems safe"
_UNCHECKED = "ruff's security rules did not run on the file"
_BREAKS = re.compile(r"\r\n|\r|\n")  # the lone carriage return ends a line for Python, and for ruff
_XML = Rule(LOW, 0.4, "CWE-611", "only untrusted XML is a problem, and expat limits the worst of it")
_NETWORK = Rule(LOW, 0.5, "CWE-319", "a clear-text protocol; often the only one the other side speaks")
_GUESS = Rule(LOW, 0.3, "CWE-259", "a guess from a variable's name")
_LOUD = Rule(LOW, 0.6, "CWE-703", "hides errors; a matter of care more than of security")
_COMPLEX = Rule(INFO, 0.9, None, "advice about code that is hard to read and to test")

RULES: Mapping[str, Rule] = {
    "S101": Rule(LOW, 0.4, "CWE-703", "asserts vanish under -O; most state what types cannot"),
    "S102": Rule(MEDIUM, 0.6, "CWE-95", "exec runs whatever it is given; most uses generate code on purpose"),
    "S103": Rule(MEDIUM, 0.7, "CWE-732", "others may read or write the file; executables need 0o755"),
    "S104": Rule(LOW, 0.4, "CWE-605", "servers in containers listen everywhere on purpose"),
    "S105": _GUESS,
    "S106": _GUESS,
    "S107": _GUESS,
    "S108": Rule(LOW, 0.4, "CWE-377", "a fixed name in a shared folder; often only a default or a message"),
    "S110": _LOUD,
    "S112": _LOUD,
    "S113": Rule(LOW, 0.7, "CWE-400", "a request that may hang for ever"),
    "S201": Rule(HIGH, 0.9, "CWE-489", "Flask's debugger runs any code a visitor types"),
    "S202": Rule(MEDIUM, 0.6, "CWE-22", "members may escape the folder; Python 3.14 filters by default"),
    "S301": Rule(MEDIUM, 0.5, "CWE-502", "loading a pickle runs its code; most are the program's own files"),
    "S302": Rule(MEDIUM, 0.5, "CWE-502", "marshal may crash on foreign bytes; mostly own caches"),
    "S303": Rule(LOW, 0.5, "CWE-327", "a broken hash; most uses are checksums"),
    "S304": Rule(HIGH, 0.8, "CWE-327", "a broken cipher; some protocols demand it"),
    "S305": Rule(HIGH, 0.8, "CWE-327", "ECB shows patterns of the plain text; some protocols demand it"),
    "S306": Rule(MEDIUM, 0.8, "CWE-377", "another user can take the name before the file is made"),
    "S307": Rule(
        MEDIUM, 0.5, "CWE-95", "eval runs whatever it is given; whose text it is cannot be told here"
    ),
    "S308": Rule(MEDIUM, 0.4, "CWE-79", "marked safe without escaping; often a constant"),
    "S310": Rule(LOW, 0.4, "CWE-939", "file: URLs open too; most addresses are constants"),
    "S311": Rule(LOW, 0.3, "CWE-330", "only matters where the number is a secret; most are not"),
    "S312": _NETWORK,
    "S313": _XML,
    "S314": _XML,
    "S315": _XML,
    "S316": _XML,
    "S317": _XML,
    "S318": _XML,
    "S319": _XML,
    "S321": _NETWORK,
    "S323": Rule(HIGH, 0.8, "CWE-295", "switches certificate checks off"),
    "S324": Rule(LOW, 0.5, "CWE-327", "a broken hash; most uses are checksums and cache keys"),
    "S501": Rule(HIGH, 0.9, "CWE-295", "switches certificate checks off: anyone on the way can answer"),
    "S502": Rule(HIGH, 0.8, "CWE-327", "a protocol with public attacks (SSLv2, SSLv3, TLS 1.0)"),
    "S503": Rule(HIGH, 0.7, "CWE-327", "a default of a protocol with public attacks"),
    "S504": Rule(MEDIUM, 0.6, "CWE-327", "the oldest protocol both sides know may be chosen"),
    "S505": Rule(MEDIUM, 0.8, "CWE-326", "a key too short for today"),
    "S506": Rule(HIGH, 0.8, "CWE-502", "yaml.load without a safe loader builds any object the text names"),
    "S507": Rule(HIGH, 0.7, "CWE-295", "trusts any host key: anyone on the way can answer"),
    "S508": Rule(
        MEDIUM, 0.6, "CWE-319", "SNMP before version 3 has no protection; old devices speak nothing else"
    ),
    "S509": Rule(MEDIUM, 0.6, "CWE-319", "SNMPv3 without encryption"),
    "S601": Rule(MEDIUM, 0.5, "CWE-78", "a command on another host; whose text it is cannot be told here"),
    "S602": Rule(HIGH, 0.7, "CWE-78", "a shell reads a command that is put together at run time"),
    "S604": Rule(
        MEDIUM, 0.4, "CWE-78", "any function with shell=True, the command literal or not: cannot be told"
    ),
    "S605": Rule(HIGH, 0.7, "CWE-78", "a shell reads a command that is put together at run time"),
    "S608": Rule(
        MEDIUM, 0.4, "CWE-89", "SQL built from strings; table names cannot be bound, so often needed"
    ),
    "S609": Rule(HIGH, 0.6, "CWE-155", "a file name that starts with a dash becomes an option"),
    "S610": Rule(MEDIUM, 0.5, "CWE-89", "raw SQL in Django's extra; often constant"),
    "S611": Rule(MEDIUM, 0.5, "CWE-89", "raw SQL in Django; often constant"),
    "S612": Rule(MEDIUM, 0.7, "CWE-94", "a listener that runs configuration sent to it"),
    "S701": Rule(MEDIUM, 0.5, "CWE-79", "no HTML escaping; right for templates that are no HTML"),
    "S702": Rule(MEDIUM, 0.4, "CWE-79", "no HTML escaping by default; right for templates that are no HTML"),
    "S704": Rule(MEDIUM, 0.5, "CWE-79", "marked safe without escaping"),
    "C901": _COMPLEX,
    "PLR0912": _COMPLEX,
    "PLR0915": _COMPLEX,
    "E501": _COMPLEX,
}
_OPTIONS = (
    "check --isolated --no-cache --ignore-noqa --no-respect-gitignore --quiet --output-format json "
    "--target-version py315 --line-length 160 --config lint.mccabe.max-complexity=15"
).split()
_LITERALS = {"S105", "S106", "S107"}
_CALLS = re.compile(r"S(102|103|113|20[12]|3\d\d|50\d|60[1-79]|61\d|70\d)")
"""Rules about a call. Ruff names the callee or one argument; what the change touched may be another."""
_TEXT_RUNNERS = {"S102", "S301", "S307"}
# a string that its line does not close runs to the end of it, which also keeps the search linear
_QUOTED = re.compile(r"""(["'])(?:[^\\"']++|\\.|(?!\1)["'])*(?:\1|\\?$)""")


def scan_ruff(sources: Sequence[Source], bench: Bench, read_blob: Callable[[Sha], bytes]) -> Report:
    """Run ruff on the Python files. A file it cannot parse is not ``read``; the error is evidence."""
    python = [s for s in sources if s.is_python and not (s.excluded or s.change.is_symlink)]
    files = [_place(source, bench) for source in python if not source.unread]
    unread = {
        source.path: f"ruff did not read the file: {source.unread}" for source in python if source.unread
    }
    report = _run(files, bench, tuple(RULES))
    report = replace(report, failed={**report.failed, **unread})
    broken = {item.location.path: item for item in report.evidence if item.rule == SYNTAX and item.location}
    if not broken:
        return report
    torn = [placed.source for placed in files if placed.source.path in broken]
    bases = _unparsable_bases(torn, bench, read_blob)
    errors = [_syntax_error(source, broken[source.path], source.path in bases) for source in torn]
    rest = [item for item in report.evidence if item.location and item.location.path not in broken]
    return replace(report, evidence=(*rest, *errors), read=report.read - set(broken))


def _place(source: Source, bench: Bench) -> Placed:
    text, ours = unfold(source.lines, _BREAKS)
    return Placed(source, bench.place("x.pyi" if source.path.endswith(".pyi") else "x.py", text), ours)


def _run(files: Sequence[Placed], bench: Bench, rules: Collection[str]) -> Report:
    def scan(batch: Sequence[Placed]) -> Outcome:
        names = [str(placed.file) for placed in batch]
        done = bench.call("ruff", [*_OPTIONS, "--select", ",".join(rules), "--", *names])
        rows, failure = parse_json("ruff", done, (0, 1))
        if failure is None and not isinstance(rows, list):
            failure = "ruff printed no list of results"
        if failure is not None:
            return Outcome(done, failure=failure)
        return parse_results(rows, {str(placed.file): placed for placed in batch}, done)

    outcomes, failed, calls = in_batches("ruff", files, scan)
    return Report(
        tuple(item for outcome in outcomes for item in outcome.evidence),
        frozenset(placed.source.path for placed in files) - set(failed),
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
    )


def parse_results(rows: Sequence[Any], files: Mapping[str, Placed], done: Completed) -> Outcome:
    """Ruff's JSON results -> evidence; what is not of its form, or not of our files, is rejected."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    unread: dict[str, str] = {}
    syntax_of = lru_cache(maxsize=1)(
        lambda name: Syntax(unfold(files[name].source.lines, _BREAKS)[0])
    )  # rows come file by file
    for row in rows:
        try:
            placed = files[row["filename"]]
            code = str(row["code"] or SYNTAX)
            start, end = _point(row["location"]), _point(row["end_location"])
            location = placed.locate(start[0], end[0])
            message = clean(row["message"])
        except (KeyError, TypeError):
            rejected.append(
                Rejected("analyzer", "ruff/unknown", None, "ruff printed a result of unknown form")
            )
            continue
        if code == "E902":  # ruff's code for a file it cannot open
            unread[placed.source.path] = f"ruff could not read the file: {message}"
        elif location is None:
            why = f"ruff named line {row['location']['row']!r}, which the file does not have"
            rejected.append(Rejected("analyzer", f"ruff/{code}", placed.source.path, clean(why)))
        elif _CALLS.fullmatch(code) or code == "S608":
            syntax = syntax_of(row["filename"])
            call = syntax.find_call(code, start, end)
            item = _evidence(placed.source, code, message, location, syntax=syntax, call=call)
            # a query that is only built here stays where it stands
            widened = syntax.places(call, start[0], end[0]) if code != "S608" or call else []
            evidence += [] if item is None else [_widen(item, placed, widened)]
        elif (item := _evidence(placed.source, code, message, location)) is not None:
            evidence.append(item)
    return Outcome(done, tuple(evidence), unread, tuple(rejected))


def _point(place: Mapping[str, Any]) -> Point:
    """Ruff's line (checked where it is used) and its column, 1 where there is none."""
    column = place.get("column")
    return place["row"], column if isinstance(column, int) else 1


def _evidence(
    source: Source,
    code: str,
    message: str,
    location: Location,
    *,
    syntax: Syntax | None = None,
    call: ast.Call | None = None,
) -> Evidence | None:
    if code == SYNTAX:
        return make_evidence("ruff", code, Rule(HIGH, 0.9, None, "the file does not run"), message, location)
    in_tests = is_trial(source.path)
    if code == "S101" and in_tests:
        return None  # asserts are what tests are made of
    rule = RULES.get(code, Rule(LOW, 0.5, None, "a rule without a row in our table"))
    if _SEEMS_SAFE in message and code in ("S602", "S605"):
        rule = Rule(LOW, 0.6, rule.cwe, "a shell reads a command that is a literal")
    if code == "S506" and syntax and call and syntax.is_full_loader(call):
        rule = Rule(MEDIUM, 0.5, rule.cwe, "the full loader had escapes before PyYAML 5.4")
    if code == "S608" and call and runs_value_in_query(call):
        rule = Rule(HIGH, 0.7, rule.cwe, "a value, not a name, becomes part of the query that is run here")
    if code in _TEXT_RUNNERS and call and takes_request_data(call):
        rule = Rule(HIGH, 0.7, rule.cwe, "what it is given is visibly the data of a request or an input")
    if in_tests:
        rule = replace(rule, severity=lower(rule.severity), reason=f"{rule.reason}; a step lower in tests")
    item = make_evidence("ruff", code, rule, message, location)
    return replace(item, masks=_masks(source, location)) if code in _LITERALS else item


def _masks(source: Source, location: Location) -> tuple[Mask, ...]:
    """The inside of every string on a literal's line; a literal over several lines to the end of each."""
    first, last = location.start_line, location.end_line
    masks: list[Mask] = [(number, 0, -1) for number in range(first + 1, last + 1)]
    line = source.lines[first - 1]
    if not source.is_plain or "\ufffd" in line:
        return ((first, 0, -1), *masks)  # columns here are not those of the blob's UTF-8
    strings = list(_QUOTED.finditer(line))
    if last > first and strings:
        return ((first, strings[0].start() + 1, -1), *masks)
    for found in strings:
        is_closed = len(found[0]) > 1 and found[0].endswith(found[1])
        masks.append((first, found.start() + 1, found.end() - 1 if is_closed else -1))
    return tuple(mask for mask in masks if mask[1] != mask[2])


def _widen(item: Evidence, placed: Placed, places: Sequence[tuple[int, int]]) -> Evidence:
    """The evidence with all lines of its call: the first place is shown, the others are ``related``."""
    located = [place for first, last in places if (place := placed.locate(first, last))]
    unique = list(dict.fromkeys(located))
    return replace(item, location=unique[0], related=tuple(unique[1:])) if unique else item


def _unparsable_bases(
    torn: Sequence[Source], bench: Bench, read_blob: Callable[[Sha], bytes]
) -> frozenset[str]:
    """The head paths whose base was Python that ruff cannot parse either (Python 2, templates)."""
    paths: dict[str, str] = {}
    old: list[Source] = []
    for source in torn:
        change = source.change
        # what was a link, a submodule or another kind of file says nothing about broken Python
        if change.base_blob is None or not change.base_mode.startswith("100"):
            continue
        path = change.old_path or change.path
        base = parse_source(replace(change, path=path), read_blob(change.base_blob))
        if base.is_python and not base.unread:
            old.append(base)
            paths.setdefault(source.path, path)
    report = _run([_place(source, bench) for source in old], bench, ("S102",))
    broken = {item.location.path for item in report.evidence if item.rule == SYNTAX and item.location}
    return frozenset(path for path, base_path in paths.items() if base_path in broken)


def _syntax_error(source: Source, item: Evidence, base_was_broken: bool) -> Evidence:
    """Put a syntax error on the touched line that most likely caused it, and rate it."""
    assert item.location is not None
    if base_was_broken:
        rule = Rule(LOW, 0.9, None, f"the file did not parse before the change either; {_UNCHECKED}")
        return replace(make_evidence("ruff", SYNTAX, rule, item.title, item.location), advisory=True)
    if "{{" in source.path or "templates" in source.path.split("/")[:-1]:
        rule = Rule(LOW, 0.5, None, f"by its path a template for Python, not Python; {_UNCHECKED}")
        return make_evidence("ruff", SYNTAX, rule, item.title, item.location)
    in_tests = is_trial(source.path)
    rule = Rule(MEDIUM if in_tests else HIGH, 0.9, None, f"the file does not run; {_UNCHECKED}")
    seen = item.location.start_line
    touched = sorted({*line_numbers(source.change.added), *(max(1, gap) for gap in source.change.gaps)})
    if not touched or seen in touched:
        return make_evidence("ruff", SYNTAX, rule, item.title, item.location)
    line = max((number for number in touched if number < seen), default=touched[0])
    cause = Location(source.path, min(line, source.last_line), min(line, source.last_line))
    return replace(make_evidence("ruff", SYNTAX, rule, item.title, cause), related=(item.location,))
