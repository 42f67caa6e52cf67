"""What a scan knew before: the findings of earlier scans, and what of this one is new, open or fixed. Pure.

A finding is known again by its fingerprint or, where its file is gone, by its text in another file. What
this scan did not read again, or had no reader for, is neither open nor fixed: it stays as it was.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from reviewbot.core import (
    Conclusion,
    Coverage,
    CoverageStatus,
    Finding,
    GateRules,
    Reason,
    Severity,
    Sha,
    Suppression,
    Verdict,
)
from reviewbot.errors import EvidenceError
from reviewbot.json_rules import BadJson, read_json
from reviewbot.verdict.gate import blocks

BASELINE_PATH = ".github/reviewbot-baseline.json"
"""Where a person commits the baseline; it is read at the commit that is scanned."""

SCHEMA_VERSION = 1
MOST_BYTES = 50_000_000
MOST_LEVELS = 8
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class BadBaseline(EvidenceError):
    """A baseline that cannot be read: nothing could be told from it."""

    help = (
        "Put back the file that a scan wrote (`baseline.json` of its --out folder); without any the scan "
        "takes all that it finds as known."
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding of an earlier scan. ``reader`` is who found it (``reader_of``), ``path`` empty for none.

    ``anchor`` is 16 hex digits of its rule and its text: with it a finding is known when its file moves.
    """

    fingerprint: str
    anchor: str
    reader: str
    rule: str
    severity: str
    path: str
    first_seen: Sha
    last_seen: Sha


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was known after the scan of ``commit``; ``readers`` are those who have ever taken part."""

    commit: Sha
    readers: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """This scan held against a baseline.

    ``findings`` are all findings with the status that follows; ``new``, ``open`` and ``fixed`` tell what
    became of them. ``adopted`` counts those of readers that the baseline had not had, which are known.
    ``after`` is the baseline that a finished scan leaves.
    """

    findings: tuple[Finding, ...]
    new: tuple[Finding, ...]
    open: tuple[Finding, ...]
    fixed: tuple[Entry, ...]
    adopted: int
    after: Baseline


def reader_of(finding: Finding) -> str:
    """Who found it: an analyzer by its name; all agents, all SARIF files and all test reports as one each."""
    evidence = finding.evidence
    return evidence.tool if evidence.source == "analyzer" else evidence.source


def compare(
    before: Baseline | None,
    findings: Sequence[Finding],
    coverage: Coverage,
    head_sha: Sha,
    readers: Collection[str],
) -> Comparison:
    """Hold a scan of the whole tree at ``head_sha`` against what was known; None: all that it found is known.

    ``readers`` are those who took part in this scan.
    """
    readers = {*readers, *(reader_of(finding) for finding in findings)}
    read = {
        row.path: row.status in (CoverageStatus.REVIEWED, CoverageStatus.TRIAGED) for row in coverage.files
    }
    known = {entry.fingerprint: entry for entry in before.entries} if before else {}
    matched = _match(findings, known, read)
    entered = set(before.readers) if before else set[str]()
    told: list[Finding] = []
    entries: dict[str, Entry] = {}
    adopted = 0
    for finding in findings:
        entry = matched.get(finding.fingerprint)
        adopts = entry is None and reader_of(finding) not in entered
        told.append(_with_status(finding, is_known=entry is not None or adopts))
        if entry is not None or not _is_quiet(finding):
            entries[finding.fingerprint] = _entry(finding, entry, head_sha)
            adopted += adopts
    seen = {entry.fingerprint for entry in matched.values()}
    gone = [entry for name, entry in known.items() if name not in seen]
    fixed = tuple(entry for entry in gone if _is_fixed(entry, read, readers))
    kept = {entry.fingerprint: entry for entry in gone if not _is_fixed(entry, read, readers)}
    return Comparison(
        findings=tuple(told),
        new=tuple(finding for finding in told if finding.status == "new"),
        open=tuple(finding for finding in told if finding.fingerprint in matched),
        fixed=fixed,
        adopted=adopted,
        after=Baseline(head_sha, tuple(sorted(entered | readers)), tuple({**entries, **kept}.values())),
    )


def decide_scan(verdict: Verdict, compared: Comparison, rules: GateRules) -> Verdict:
    """The verdict of a scan with a baseline: what is new blocks as it would in a change.

    ``verdict`` is that of the same scan without a baseline, in which nothing blocks.
    """
    rules = replace(rules, is_scan=False)
    blocking = tuple(finding.fingerprint for finding in compared.new if blocks(finding, rules))
    if blocking:
        number = len(blocking)
        said = f"{number} blocking finding{'s' * (number != 1)}, not known"
        return replace(
            verdict,
            conclusion=Conclusion.FAIL,
            exit_code=max(verdict.exit_code, 1),
            blocking=blocking,
            advisory=tuple(name for name in verdict.advisory if name not in set(blocking)),
            reasons=(Reason("blocking_findings", f"{said} before."), *verdict.reasons),
        )
    if verdict.conclusion is Conclusion.PASS and not compared.new:
        return replace(
            verdict, reasons=(Reason("nothing_new", "Nothing is new since the baseline."), *verdict.reasons)
        )
    return verdict


def render_trend(before: Baseline | None, compared: Comparison, *, is_finished: bool) -> str:
    """One line: what is new, still open and fixed, and since when."""
    was, now = len(before.entries) if before else 0, len(compared.after.entries)
    if before is None:
        found = f"There is no baseline: {now} finding{'s' * (now != 1)}"
        return f"{found} taken as known." if is_finished else f"{found} so far, and the scan did not finish."
    said = f"{len(compared.new)} new, {len(compared.open)} still open, {len(compared.fixed)} fixed"
    if compared.adopted:
        said += f"; {compared.adopted} known of readers that take part for the first time"
    left = "" if is_finished else " This scan did not finish, so the baseline stays where it was."
    return f"Since the scan of {before.commit[:12]}: {said} (known findings: {was} then, {now} now).{left}"


def render_baseline(baseline: Baseline) -> bytes:
    """The file a person commits: one finding a line, in a stable order, ASCII."""
    entries = sorted(baseline.entries, key=lambda entry: (entry.path, entry.rule, entry.fingerprint))
    rows = ",\n".join(f"  {json.dumps(_node(entry))}" for entry in entries)
    head = f'"schema_version": {SCHEMA_VERSION},\n "commit": "{baseline.commit}"'
    readers = f'"readers": {json.dumps(list(baseline.readers))}'
    listed = f"[\n{rows}\n ]" if rows else "[]"
    return f'{{{head},\n {readers},\n "findings": {listed}}}\n'.encode("ascii")


def parse_baseline(data: bytes, where: str) -> Baseline:
    """A baseline as ``render_baseline`` writes it.

    Raises:
        BadBaseline: anything else; ``where`` names the file.
    """
    try:
        whole = read_json(data, most=MOST_BYTES, levels=MOST_LEVELS)
        if not isinstance(whole, dict) or set(whole) != {"schema_version", "commit", "readers", "findings"}:
            raise ValueError("it is no object with schema_version, commit, readers and findings")
        if whole["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"its schema_version is not {SCHEMA_VERSION}")
        return Baseline(
            _text(whole["commit"], _SHA),
            tuple(_text(name) for name in _list(whole["readers"])),
            tuple(_parse_entry(node) for node in _list(whole["findings"])),
        )
    except BadJson as error:
        raise BadBaseline(f"The baseline {where} cannot be read: it {error.naming}.") from None
    except ValueError as error:
        raise BadBaseline(f"The baseline {where} cannot be read: {ascii(str(error))[1:-1][:200]}.") from None


def _match(
    findings: Sequence[Finding], known: Mapping[str, Entry], read: Collection[str]
) -> dict[str, Entry]:
    """The entry of each finding that was known, by fingerprint; each entry is of one finding."""
    matched = {each.fingerprint: known[each.fingerprint] for each in findings if each.fingerprint in known}
    moved: dict[str, list[Entry]] = {}
    for entry in known.values():
        if entry.path and entry.path not in read:
            moved.setdefault(entry.anchor, []).append(entry)
    for finding in findings:
        left = (
            moved.get(_anchor(finding)) if finding.location and finding.fingerprint not in matched else None
        )
        if left:
            matched[finding.fingerprint] = left.pop()
    return matched


def _anchor(finding: Finding) -> str:
    """The rule and the text of a finding, white space folded."""
    text = f"{finding.rule}\0{' '.join(finding.quote.split())}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _with_status(finding: Finding, *, is_known: bool) -> Finding:
    if finding.status == "dismissed":
        return finding
    return replace(finding, status="known" if is_known or _is_quiet(finding) else "new")


def _is_quiet(finding: Finding) -> bool:
    """What a comment or a person silenced is not recorded: when it speaks again it is new."""
    return finding.evidence.suppression is Suppression.BASE or finding.status == "dismissed"


def _entry(finding: Finding, known: Entry | None, head_sha: Sha) -> Entry:
    return Entry(
        fingerprint=finding.fingerprint,
        anchor=_anchor(finding),
        reader=reader_of(finding),
        rule=finding.rule,
        severity=str(finding.severity),
        path=finding.location.path if finding.location else "",
        first_seen=known.first_seen if known else head_sha,
        last_seen=head_sha,
    )


def _is_fixed(entry: Entry, read: Mapping[str, bool], readers: Collection[str]) -> bool:
    """Gone with its file, or not found again by those who found it and have read the file again."""
    if entry.path and entry.path not in read:
        return True
    return entry.reader in readers and read.get(entry.path, True)


def _node(entry: Entry) -> dict[str, str]:
    return {each.name: getattr(entry, each.name) for each in fields(entry)}


def _parse_entry(node: Any) -> Entry:
    names = [each.name for each in fields(Entry)]
    if not isinstance(node, dict) or set(node) != set(names):
        raise ValueError(f"a finding is no object with {', '.join(names)}")
    return Entry(
        fingerprint=_text(node["fingerprint"], _FINGERPRINT),
        anchor=_text(node["anchor"], _FINGERPRINT),
        reader=_text(node["reader"]),
        rule=_text(node["rule"]),
        severity=str(Severity(node["severity"])),
        path=_text(node["path"]),
        first_seen=_text(node["first_seen"], _SHA),
        last_seen=_text(node["last_seen"], _SHA),
    )


def _text(value: Any, pattern: re.Pattern[str] | None = None) -> str:
    if not isinstance(value, str) or (pattern and not pattern.fullmatch(value)):
        raise ValueError("one of its texts is not of the form that a scan writes")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("readers and findings are no lists")
    return value
