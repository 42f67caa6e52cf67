"""Dockerfiles through hadolint, which also runs ShellCheck on their RUN lines."""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from reviewbot.change.hunks import numbered_lines
from reviewbot.core import Evidence, FileChange, Location, Rejected, Severity, Side
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
    lower,
    make_evidence,
    parse_json,
)
from reviewbot.testlike import is_trial

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO
PARSE_ERROR = "DL1000"
LAST_USER = "DL3002"
SUDO = "DL3004"

RULES: Mapping[str, Rule] = {
    PARSE_ERROR: Rule(MEDIUM, 0.8, None, "hadolint cannot parse it, so no other rule read it"),
    LAST_USER: Rule(HIGH, 0.8, "CWE-250", "whoever breaks out of the program is root in the container"),
    SUDO: Rule(HIGH, 0.8, "CWE-250", "sudo in an image gives every process a way to root"),
    "DL3007": Rule(MEDIUM, 0.8, "CWE-829", "what `latest` stands for changes from build to build"),
    "DL3008": Rule(LOW, 0.6, None, "packages without a version: builds differ from day to day"),
    "DL3013": Rule(LOW, 0.6, None, "packages without a version: builds differ from day to day"),
    "DL3016": Rule(LOW, 0.6, None, "packages without a version: builds differ from day to day"),
    "DL3018": Rule(LOW, 0.6, None, "packages without a version: builds differ from day to day"),
    "DL3020": Rule(LOW, 0.8, None, "ADD also unpacks and downloads; a matter of care"),
    "DL3026": Rule(MEDIUM, 0.8, "CWE-829", "an image from a registry nobody vouched for"),
    "DL4000": Rule(LOW, 0.9, None, "MAINTAINER is deprecated and harmless"),
    "DL4006": Rule(LOW, 0.7, "CWE-252", "a failure in front of a pipe goes unseen"),
    "SC2114": Rule(HIGH, 0.8, "CWE-73", "deletes a folder of the system"),
    "SC2115": Rule(HIGH, 0.7, "CWE-73", "deletes from the root where the variable is empty"),
}
BY_LEVEL: Mapping[str, Rule] = {
    "error": Rule(MEDIUM, 0.8, None, "hadolint calls it an error"),
    "warning": Rule(LOW, 0.7, None, "hadolint calls it a warning"),
    "info": Rule(INFO, 0.7, None, "hadolint calls it a remark"),
    "style": Rule(INFO, 0.7, None, "hadolint calls it style"),
}
_NAME = re.compile(r"(dockerfile|containerfile)([._-].+)?|.+\.(dockerfile|containerfile)", re.IGNORECASE)
_NOT_DOCKERFILES = tuple(
    ".j2 .jinja .jinja2 .in .tmpl .tpl .template .erb .mustache .hbs .m4 "
    ".md .rst .txt .html .json .yml .yaml .sh .dockerignore .lock .orig .bak .patch .diff .sarif".split()
)
_CODE = tuple(
    ".c .cc .cjs .cpp .cs .ex .go .h .java .js .jsx .kt .lua .mjs .php .pl .py .rb .rs .scala .swift "
    ".ts .tsx .vue".split()
)
"""Endings of a program as of an image for it: the text decides which of the two a file is."""
_BEGINS = re.compile(r"\s*(from|arg)\s", re.IGNORECASE)
_HERE_DOCUMENT = re.compile(r"\s*(?:RUN|COPY|ADD)\b.*(?<!<)<<-?[\"']?(\w+)[\"']?", re.IGNORECASE)
_DELIMITER = re.compile(r"(?<!<)<<-?[\"']?(\w+)")
_ESCAPE = re.compile(r"\s*#\s*escape\s*=\s*`\s*", re.IGNORECASE)
_STAGE = re.compile(r"from\s+(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_DEFAULT = re.compile(r"arg\s+(\w+)=[\"']?([^\s\"']*)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_CONDITION = re.compile(r"\$\{\w+[^\w}]")
"""``${X:-base}``: the image may be any."""
_USER_OR_STAGE = re.compile(r"\s*(user|from)\s", re.IGNORECASE)
_ROOT_IN_DISGUISE = re.compile(
    r"user\s+(?:[\"']\s*(?:root|0)\b[^\"']*[\"']|[\"']?\$\{\w+:?-[\"']?(?:root|0)[\"']?\}(?::\S*)?[\"']?)\s*",
    re.IGNORECASE,
)
_SUDO_BY_PATH = re.compile(
    r"(?:^run\s+(?:--\S++\s++)*+(?:\[\s*\")?|[;&|(]\s*|\b(?:then|do|else|exec|env)\s+)/(?:[\w.-]++/)*+sudo[\s\"]",
    re.IGNORECASE,
)
_LONGEST = 60
"""Lines of one instruction that a finding may span."""
# hadolint has no switch against ShellCheck's own directives, nor against `# hadolint shell=`
_DIRECTIVE = re.compile(r"(#\s*)(shellcheck|hadolint)\b")


def scan_hadolint(sources: Sequence[Source], bench: Bench) -> Report:
    """Run hadolint on the Dockerfiles. A file it cannot parse is ``failed``, and its error evidence too."""
    files = [
        _place(source, bench)
        for source in sources
        if is_dockerfile(source.path)
        and _is_image(source)
        and not source.excluded
        and not source.change.is_symlink
    ]
    if not files:
        return Report()
    options = ["--disable-ignore-pragma", "--no-fail", "--no-color", "--format", "json"]
    options += ["--config", str(bench.place("hadolint.yaml", "ignored: []\n"))]

    def scan(batch: Sequence[Placed]) -> Outcome:
        done = bench.call("hadolint", [*options, *(str(placed.file) for placed in batch)])
        rows, failure = parse_json("hadolint", done, (0,))
        if failure is None and not isinstance(rows, list):
            failure = "hadolint printed no list of results"
        if failure is not None:
            return Outcome(done, failure=failure)
        return parse_results(rows, {str(placed.file): placed for placed in batch}, done)

    outcomes, failed, calls = in_batches("hadolint", files, scan)
    evidence = tuple(item for outcome in outcomes for item in outcome.evidence)
    for item in evidence:
        if item.rule == PARSE_ERROR and item.location:
            where = f"line {item.location.start_line}: {item.title}"
            failed[item.location.path] = f"hadolint could not parse the file: {where}"
    return Report(
        evidence,
        frozenset(placed.source.path for placed in files) - set(failed),
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
    )


def is_dockerfile(path: str) -> bool:
    """By name: ``Dockerfile``, ``Dockerfile.prod``, ``Containerfile-x``, ``web.dockerfile``; no templates."""
    name = PurePosixPath(path).name
    return bool(_NAME.fullmatch(name)) and not name.lower().endswith(_NOT_DOCKERFILES)


def _is_image(source: Source) -> bool:
    """``Dockerfile.go`` is an image or a Go program; only an image begins with ``FROM`` or ``ARG``."""
    if not source.path.lower().endswith(_CODE):
        return True
    first = next((line for line in source.lines if line.strip() and not line.lstrip().startswith("#")), "")
    return bool(_BEGINS.match(first))


def _place(source: Source, bench: Bench) -> Placed:
    """Directives taken out, and an empty line after each here-document: hadolint 2.15 wants one there."""
    lines: list[str] = []
    ours: list[int] = []
    end = ""
    for number, line in enumerate(source.lines, 1):
        text = line.removesuffix("\r")
        lines.append(_DIRECTIVE.sub(r"\1no-\2", text))
        ours.append(number)
        if end and text.lstrip("\t") == end:
            end = ""
            lines.append("")
            ours.append(number)
        elif not end and (opened := _HERE_DOCUMENT.match(text)):
            end = opened[1]
    return Placed(source, bench.place("Dockerfile", "\n".join(lines)), tuple(ours))


_SAYS = {SUDO: re.compile(r"\bsudo\b"), "SC2115": re.compile(r"\brm\b")}
"""The word that a high rule is about, where its instruction may be long."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile: its text on one line, and its lines with here-documents."""

    text: str
    first: int
    last: int

    @property
    def keyword(self) -> str:
        """Such as ``RUN``, in capitals."""
        return self.text.split(None, 1)[0].upper()


def parse_instructions(lines: Sequence[str]) -> tuple[Instruction, ...]:
    """A Dockerfile's instructions, with continued lines and here-documents joined.

    By https://docs.docker.com/reference/dockerfile/: comments and empty lines do not end a continuation.
    """
    escape = "`" if any(_ESCAPE.fullmatch(line) for line in lines[:3]) else "\\"
    ends: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        ends.setdefault(line.strip("\t\r"), []).append(number)
    found: list[Instruction] = []
    held: list[str] = []
    first = after = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if number <= after or not text or text.startswith("#"):
            continue
        first = first if held else number
        held.append(text.removesuffix(escape))
        if text.endswith(escape):
            continue
        after = _after_documents(" ".join(held), number, ends)
        found.append(Instruction(" ".join(held), first, after))
        held = []
    if any(part.strip() for part in held):
        found.append(Instruction(" ".join(held), first, max(first, len(lines))))
    return tuple(item for item in found if item.text.strip())


def _after_documents(text: str, number: int, ends: Mapping[str, Sequence[int]]) -> int:
    """The last line of the here-documents that an instruction opens in line ``number``."""
    if text.split(None, 1)[:1] and text.split(None, 1)[0].upper() in ("RUN", "COPY", "ADD"):
        for name in _DELIMITER.findall(text):
            rows = ends.get(name, ())
            at = bisect_right(rows, number)
            number = rows[at] if at < len(rows) else number
    return number


def parse_results(rows: Sequence[Any], files: Mapping[str, Placed], done: Completed) -> Outcome:
    """Hadolint's JSON results -> evidence; what is not of its form, or not of our files, is rejected."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    parsed = {name: parse_instructions(placed.source.lines) for name, placed in files.items()}
    for row in rows:
        try:
            evidence.append(_evidence(files[row["file"]], row, parsed[row["file"]]))
        except (KeyError, TypeError, ValueError):
            why = "hadolint printed a result of unknown form"
            rejected.append(Rejected("analyzer", "hadolint/unknown", None, why))
    told = {(item.rule, item.location) for item in evidence}
    for name, placed in files.items():
        ours = (_evidence(placed, row, parsed[name]) for row in _find_unseen(placed, parsed[name]))
        evidence += (item for item in ours if (item.rule, item.location) not in told)
    return Outcome(done, tuple(evidence), rejected=tuple(rejected))


def _evidence(placed: Placed, row: Mapping[str, Any], instructions: Sequence[Instruction]) -> Evidence:
    code = str(row["code"])
    location = placed.locate(row["line"], row["line"])
    if location is None:
        raise ValueError("no line of the file")
    rule = RULES.get(code) or BY_LEVEL[row["level"]]
    related: Sequence[Location] = ()
    if code == LAST_USER:
        rule, related = _judge_user(rule, location, placed.source.change, instructions)
    elif code != PARSE_ERROR:
        location = _whole(location, instructions)
        if code in _SAYS:
            location, *related = _lines_that_say(_SAYS[code], placed, location)
    if is_trial(placed.source.path) or ".devcontainer" in PurePosixPath(placed.source.path).parts:
        rule = replace(rule, severity=lower(rule.severity))
    return replace(
        make_evidence("hadolint", code, rule, clean(row["message"]), location), related=tuple(related)
    )


def _find_unseen(placed: Placed, instructions: Sequence[Instruction]) -> Iterator[Mapping[str, Any]]:
    """Results as hadolint would print them, for spellings of two high rules that hadolint 2.15 reads past."""
    for index, item in enumerate(instructions):
        code = None
        if _SUDO_BY_PATH.search(item.text):
            code, message = SUDO, "This calls sudo by its path"
        elif _ROOT_IN_DISGUISE.fullmatch(item.text):
            later = (other.keyword for other in instructions[index + 1 :])
            if next((word for word in later if word in ("USER", "FROM")), "FROM") == "FROM":
                code, message = LAST_USER, "The last USER of this stage is root, or root by default"
        if code:
            line = bisect_left(placed.ours, item.first) + 1
            yield {"code": code, "line": line, "level": "warning", "message": message}


def _whole(location: Location, instructions: Sequence[Instruction]) -> Location:
    """Hadolint names an instruction's first line; what it means may stand in any of its lines."""
    at = bisect_right(instructions, location.start_line, key=lambda item: item.first) - 1
    if at < 0 or instructions[at].last < location.start_line:
        return location
    first = instructions[at].first
    return replace(location, start_line=first, end_line=min(instructions[at].last, first + _LONGEST - 1))


def _lines_that_say(word: re.Pattern[str], placed: Placed, location: Location) -> list[Location]:
    """The lines of an instruction that hold the fault, so that an edit beside an old one does not block."""
    numbers = range(location.start_line, location.end_line + 1)
    lines = placed.source.lines
    found = [number for number in numbers if number <= len(lines) and word.search(lines[number - 1])]
    return [replace(location, start_line=number, end_line=number) for number in found] or [location]


def _judge_user(
    rule: Rule, location: Location, change: FileChange, instructions: Sequence[Instruction]
) -> tuple[Rule, tuple[Location, ...]]:
    """The rule for a stage's last ``USER root``, and the other lines that make it matter."""
    stages = [item for item in instructions if item.keyword == "FROM"]
    number = bisect_right(stages, location.start_line, key=lambda item: item.first)
    later = stages[number:]
    named = _STAGE.match(stages[number - 1].text) if number else None
    name = (named[2] or "").lower() if named else ""
    # of ARGs only those before the first stage count in a FROM
    before = instructions[: instructions.index(stages[0])] if stages else ()
    defaults = {found[1]: found[2] for item in before if (found := _DEFAULT.match(item.text)) is not None}
    heirs = [item for item in later if _may_build_on(item, name, defaults)]
    if later and not heirs:
        return replace(rule, severity=LOW, reason="a stage that is thrown away after the build"), ()
    end = later[0].first if later else sys.maxsize
    gone = _deleted_users(change, location.start_line, end)
    return rule, (*gone, *(Location(location.path, item.first, item.last) for item in heirs))


def _may_build_on(stage: Instruction, name: str, defaults: Mapping[str, str]) -> bool:
    """A variable without a default may stand for any stage that has a name."""
    image = _STAGE.match(stage.text)
    if not name or image is None or _CONDITION.search(image[1]):
        return bool(name)
    base = _VARIABLE.sub(lambda found: defaults.get(found[1], found[0]), image[1]).lower().strip("\"'")
    return base == name or "$" in base


def _deleted_users(change: FileChange, start: int, end: int) -> tuple[Location, ...]:
    """Base lines between two head lines in which the change deleted a ``USER`` or a ``FROM``."""
    lines = (line for hunk in change.hunks for line in numbered_lines(hunk) if line.sign == "-")
    return tuple(
        Location(change.path, line.base, line.base, Side.LEFT)
        for line in lines
        if start < line.head <= end and _USER_OR_STAGE.match(line.text)
    )
