"""SARIF 2.1.0 from any tool -> ``Evidence``. Written for hostile files: caps first, one sentence per fault.

Section numbers are those of the OASIS standard. Files that a log refers to are never opened.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from reviewbot.core import Evidence, Rejected, Sha, Suppression
from reviewbot.errors import EvidenceError
from reviewbot.evidence.files import FILE_CAP
from reviewbot.evidence.paths import TreePaths
from reviewbot.evidence.sarif_json import Malformed, Node, node_at, nodes_at, parse_json, text_at
from reviewbot.evidence.sarif_places import (
    Place,
    Places,
    describe_others,
    list_written,
    parse_place,
    parse_places,
    pick_places,
)
from reviewbot.evidence.sarif_rules import (
    Level,
    Rules,
    find_rule,
    parse_cwes,
    parse_level,
    parse_message,
    parse_rules,
    parse_severity,
)
from reviewbot.text import one_line

RUN_CAP = 20
RESULT_CAP = 25_000
"""Results of one run; GitHub refuses more, too."""
PLACE_CAP = 10
"""Places of one result that become evidence, each its own."""
_RELATED_CAP = 20
_NOTE_CAP = 10
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OTHER_KINDS = ("pass", "open", "informational", "notApplicable", "review")


@dataclass(frozen=True, slots=True)
class SarifLog:
    """What one SARIF file says.

    ``notes`` are sentences about its runs; ``unfinished`` are sentences about the runs whose silence
    means nothing, because the tool did not finish or its results are not in the file.
    """

    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    unfinished: tuple[str, ...]


def parse_sarif(data: bytes, name: str, tree: TreePaths, start: int = 1) -> SarifLog:
    """Parse one SARIF file; ``name`` is its name for error messages, ``start`` the number of its first id.

    Raises EvidenceError for anything but a SARIF 2.1.x log within the caps: 64 MiB, 20 runs, 25,000
    results a run, 100 levels of nesting.
    """
    if len(data) > FILE_CAP:
        raise EvidenceError(f"{name} is larger than {FILE_CAP // 2**20} MiB")
    reader = _Reader(name, start, [], [], [], [])
    try:
        log = parse_json(data)
        _check_version(log)
        for index, run in enumerate(_runs(log)):
            with _inside(f"runs[{index}]"):
                reader.read_run(run, tree)
    except Malformed as error:
        raise EvidenceError(f"{name} is no SARIF file that can be read: {error}") from None
    return SarifLog(
        evidence=tuple(reader.evidence),
        rejected=tuple(reader.rejected),
        notes=tuple(reader.notes),
        unfinished=tuple(dict.fromkeys(reader.unfinished)),
    )


@contextmanager
def _inside(place: str) -> Iterator[None]:
    """Put ``place`` before what is wrong inside it."""
    try:
        yield
    except Malformed as error:
        joint = "." if re.match(r"[a-z]+\[", str(error)) else ": "
        raise Malformed(f"{place}{joint}{error}") from None


def _check_version(log: Node) -> None:
    version = text_at(log, "version")
    if version is None:
        raise Malformed("it names no version of SARIF")
    if not re.fullmatch(r"2\.1\.\d{1,3}", version):
        raise Malformed(f"version {one_line(version, 40)!r} is not 2.1.x")


def _runs(log: Node) -> list[Node]:
    """The runs. A log without any shows that nothing ran, which must not look like a clean result."""
    runs = nodes_at(log, "runs")
    if not runs:
        raise Malformed("it holds no run")
    if len(runs) > RUN_CAP:
        raise Malformed(f"{len(runs)} runs; at most {RUN_CAP} are read")
    return runs


@dataclass(frozen=True, slots=True)
class _Run:
    """What every result of a run needs to be read."""

    tool: str
    driver: Node
    rules: Rules
    places: Places
    revision: Sha | None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Collects what the runs of one file say."""

    name: str
    start: int
    evidence: list[Evidence]
    rejected: list[Rejected]
    notes: list[str]
    unfinished: list[str]

    def read_run(self, run: Node, tree: TreePaths) -> None:
        driver = node_at(node_at(run, "tool"), "driver")
        tool = one_line(text_at(driver, "name") or "", 100)
        if not tool:
            raise Malformed("tool.driver.name is missing")
        self._read_end(run, tool)
        results = nodes_at(run, "results")
        if len(results) > RESULT_CAP:
            raise Malformed(f"{len(results)} results; at most {RESULT_CAP} are read")
        places = parse_places(run, tree)
        written: set[str] = set()
        for index, result in enumerate(results):
            with _inside(f"results[{index}]"):
                written.update(list_written(places, result))
        places = parse_places(run, tree.learn(written))
        context = _Run(tool, driver, parse_rules(run), places, self._read_revision(run, tool))
        for index, result in enumerate(results):
            with _inside(f"results[{index}]"):
                self._read_result(result, context)

    def _read_end(self, run: Node, tool: str) -> None:
        """Whether the tool finished (3.20.14), and the errors it reported (3.20.21)."""
        if any(call.get("executionSuccessful") is False for call in nodes_at(run, "invocations")):
            self._add_gap(tool, "says it did not finish")
        if node_at(run, "externalPropertyFileReferences"):
            self._add_gap(tool, "keeps results in other files, which are not read")
        elif run.get("results") is None:  # 3.14.23: the scan never started
            self._add_gap(tool, "names no results at all, not even an empty list")
        reports = [
            one_line(parse_message(node_at(report, "message"), {}, {}), 300)
            for call in nodes_at(run, "invocations")
            for report in nodes_at(call, "toolExecutionNotifications")
            if text_at(report, "level") == "error"
        ]
        self.notes.extend(f"{tool} reported an error ({self.name}): {text}" for text in reports[:_NOTE_CAP])
        if len(reports) > _NOTE_CAP:
            self.notes.append(f"{tool} reported {len(reports) - _NOTE_CAP} more errors ({self.name})")

    def _add_gap(self, tool: str, what: str) -> None:
        self.unfinished.append(f"{tool} {what} ({self.name}).")

    def _read_revision(self, run: Node, tool: str) -> Sha | None:
        """The commit that was analysed (3.14.17, 3.23.4): the first full id."""
        for details in nodes_at(run, "versionControlProvenance")[:10]:
            revision = (text_at(details, "revisionId") or "").lower()
            if _SHA.fullmatch(revision):
                return revision
            if revision:
                self.notes.append(
                    f"{tool} names the revision {one_line(revision, 80)}, which is no full commit id"
                    f" and was not used ({self.name})"
                )
        return None

    def _read_result(self, result: Node, run: _Run) -> None:
        rule_id, rule = find_rule(run.rules, result)
        nodes = nodes_at(result, "locations")
        places = pick_places([parse_place(run.places, node) for node in nodes[:_RELATED_CAP]])
        short_id = _strip_tool(one_line(rule_id, 200), run.tool)
        why = _why_no_finding(result)
        if why is not None:
            path = places[0].location.path if places[0].location else None
            self.rejected.append(Rejected(run.tool, short_id, path, why))
            return
        level: Level = parse_level(result, rule_id, rule, run.rules)
        message = parse_message(node_at(result, "message"), rule, run.driver)
        whole = Evidence(
            id="",
            source="sarif",
            tool=run.tool,
            rule=short_id,
            severity=parse_severity(result, rule, level),
            title=_title(rule, rule_id, message),
            message=message,
            level=level,
            cwe=parse_cwes(result, rule, run.rules),
            revision=run.revision,
            suppression=_parse_suppression(result),
        )
        related = nodes_at(result, "relatedLocations")[:_RELATED_CAP]
        cap = PLACE_CAP if len(self.evidence) < RESULT_CAP else 1
        if len(places) > cap or len(nodes) > _RELATED_CAP:
            self._add_gap(run.tool, "names more places for one result than are read")
        self._add_places(whole, places[:cap], [parse_place(run.places, node) for node in related])

    def _add_places(self, whole: Evidence, places: list[Place], related: list[Place]) -> None:
        """One piece of evidence for each place, so that each of them can lie in the change."""
        for place in places:
            remarks = (place.doubt, describe_others(places, place))
            message = " ".join((whole.message, *(f"({remark})" for remark in remarks if remark)))
            others = dict.fromkeys(one.location for one in (*places, *related))
            self.evidence.append(
                replace(
                    whole,
                    id=f"sarif:{self.start + len(self.evidence)}",
                    message=message if whole.message else message.lstrip(),
                    location=place.location,
                    related=tuple(one for one in others if one not in (None, place.location))[:_RELATED_CAP],
                    snippet=place.snippet,
                )
            )


def _strip_tool(rule_id: str, tool: str) -> str:
    """``zizmor/artipacked`` of zizmor -> ``artipacked``."""
    prefix = f"{tool}/".lower()
    return (
        rule_id[len(prefix) :] if rule_id.lower().startswith(prefix) and rule_id[len(prefix) :] else rule_id
    )


def _why_no_finding(result: Node) -> str | None:
    """Why a result is none: its kind is not ``fail`` (3.27.9), or it is gone since a baseline (3.27.24)."""
    kind = text_at(result, "kind") or "fail"
    if kind in _OTHER_KINDS:
        return f"kind is {kind}, not fail"
    if kind != "fail":
        raise Malformed(f"kind {one_line(kind, 40)!r} is none of fail, {', '.join(_OTHER_KINDS)}")
    if text_at(result, "baselineState") == "absent":
        return "baselineState is absent: it was in an earlier run only"
    return None


def _title(rule: Node, rule_id: str, message: str) -> str:
    """The message if it is one line, else the rule's short description, else the message's first line.

    A description may be a template with open places (ruff) or only repeat the id (Semgrep); a message of
    several lines often starts with a heading that says nothing (Trivy).
    """
    short = one_line(text_at(node_at(rule, "shortDescription"), "text") or "", 200)
    first, *more = message.strip().split("\n", 1)
    says_something = short and rule_id not in short and "{" not in short
    if not first or (more and says_something):
        return short or one_line(rule_id, 200)
    return one_line(first, 200)


def _parse_suppression(result: Node) -> Suppression:
    """Suppressed only if nobody still asks or said no (3.27.23).

    ``inSource`` becomes CHANGE here: only a look into the base blob can tell whether it is older.
    """
    suppressions = nodes_at(result, "suppressions")
    if any(text_at(one, "status") not in (None, "accepted") for one in suppressions) or not suppressions:
        return Suppression.NONE
    in_source = any(text_at(one, "kind") == "inSource" for one in suppressions)
    return Suppression.CHANGE if in_source else Suppression.EXTERNAL
