"""Secrets in the added lines of every text file, found by detect-secrets' detectors and some of ours.

Known formats block; guesses (keywords, entropy) do not. The secret itself is never kept: evidence says
at which columns it stands. Known formats on all other lines are no evidence, only masks.
"""

import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from reviewbot.core import Evidence, Location, Mask, Rejected, Severity
from reviewbot.evidence.private_keys import has_body, mask_key, mask_spans, mask_wrapped
from reviewbot.evidence.secret_kinds import HIGH, KINDS, LOW, UNKNOWN, WITH_BODY, Kind
from reviewbot.evidence.sources import (
    Bench,
    Completed,
    Outcome,
    Placed,
    Report,
    Source,
    in_batches,
    level_of,
    lower,
    parse_json,
)
from reviewbot.testlike import is_trial

SECONDS_PER_FILE = 20
GUESSES_PER_FILE = 25
"""A table of hashes or test vectors makes one guess per line; nobody reads the hundredth."""
VALUES_PER_FILE, PLACES_PER_VALUE = 100, 1_000
"""How many values are looked for in the whole file, and at how many places each is masked."""

_PROGRAM = Path(__file__).with_name("secret_program.py")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")


_HOSTS = re.compile(r"@([^\s/?#\"'`<>\\]+)")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+")
_FIXED_WORD = re.compile(r"x-access-token|x-oauth-basic|x-token-auth|oauth2?")
_OPEN_TOKEN = re.compile(r"//(?:[{<$%\[][^/@:\s]*|(?:your|my)?[_-]?\w{0,20}?token):$", re.IGNORECASE)
_THIS_MACHINE = re.compile(r"localhost|127\.[\d.]+|\[::1\]|0\.0\.0\.0|host\.docker\.internal", re.IGNORECASE)
_DEVELOPMENT = re.compile(
    r"(?:.*/)?(?:\.devcontainer/.*|(?:docker-)?compose(?![^/]*prod)(?![^/]*stag)[^/]*\.ya?ml"
    r"|\.env[^/]*\.(?:example|sample|template|dist|local|dev|development|test))",
    re.IGNORECASE | re.DOTALL,
)
_SIMPLE = re.compile(
    r"postgres|mysql|maria|redis|rabbit|mongo|pass|secret|root|user|admin|guest|test|example|sample|dummy"
    r"|change.?me|default|local|1234|qwerty|your",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One kind of secret on one head line, at these columns.

    ``sample``: most likely no real value; ``placeholder``: none; ``prose``: a sentence about secrets.
    """

    line: int
    kind: str
    spans: tuple[tuple[int, int], ...]
    sample: bool = False
    placeholder: bool = False
    prose: bool = False

    @property
    def row(self) -> Kind:
        """The row of the table for this kind."""
        return KINDS.get(self.kind, UNKNOWN)


def scan_secrets(sources: Sequence[Source], bench: Bench) -> Report:
    """Search the added lines of all files; excluded ones and link targets for known formats only."""
    files = [Placed(source, Path(), ()) for source in sources]

    def scan(batch: Sequence[Placed]) -> Outcome:
        jobs = {"files": [_job(placed.source) for placed in batch], "seconds": SECONDS_PER_FILE}
        file = bench.place("jobs.json", json.dumps(jobs))
        done = bench.call(sys.executable, ["-I", str(_PROGRAM), str(file)])
        answer, failure = parse_json("detect-secrets", done, (0,))
        if failure is not None:
            return Outcome(done, failure=failure)
        return parse_answer(answer, [placed.source for placed in batch], done)

    outcomes, failed, calls = in_batches("detect-secrets", files, scan)
    return Report(
        tuple(item for outcome in outcomes for item in outcome.evidence),
        frozenset(source.path for source in sources) - set(failed),
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
        {path: masks for outcome in outcomes for path, masks in outcome.masks.items()},
    )


def _job(source: Source) -> dict[str, Any]:
    name = PurePosixPath(source.path).name.lower()
    suffix = ".env" if name.startswith(".env") else PurePosixPath(name).suffix
    return {
        "suffix": suffix if _SUFFIX.fullmatch(suffix) else "",
        "guess": not (source.excluded or source.change.is_symlink),
        "lines": source.lines,
        "added": source.change.added,
    }


def parse_answer(answer: Any, sources: Sequence[Source], done: Completed) -> Outcome:
    """The scanner's answer -> one piece of evidence per line, of the worst kind that stands there."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    unread: dict[str, str] = {}
    masks: dict[str, tuple[Mask, ...]] = {}
    try:
        for source, row in zip(sources, answer["files"], strict=True):
            every = [hit for item in row["hits"] if (hit := _parse_hit(item, source))]
            hits = [hit for hit in every if not hit.prose]
            evidence += (item := _cap_guesses(source.path, list(_evidence_of(source, hits))))[0]
            rejected += (*item[1], *_told_of(source.path, len(every) - len(hits)))
            others = [(int(n), str(kind), int(start), int(end)) for n, kind, start, end in row["masks"]]
            evidence += _new_bodies(source, others)
            if elsewhere := _mask_others(source, hits, others):
                masks[source.path] = elsewhere
            if row["slow"]:
                unread[source.path] = (
                    f"detect-secrets took longer than {SECONDS_PER_FILE} seconds for this file"
                )
    except (KeyError, TypeError, ValueError, IndexError):
        return Outcome(done, failure="detect-secrets printed an answer of unknown form")
    return Outcome(done, tuple(evidence), unread, tuple(rejected), masks=masks)


def _parse_hit(row: Mapping[str, Any], source: Source) -> Hit:
    spans = tuple((int(start), int(end)) for start, end in row["spans"])
    line = int(row["line"])
    if not (spans and 1 <= line <= len(source.lines)):
        raise ValueError("a hit is nowhere in its file")
    told = (bool(row[name]) for name in ("sample", "placeholder", "prose"))
    return Hit(line, str(row["kind"]), spans, *told)


def _told_of(path: str, count: int) -> Iterator[Rejected]:
    if count:
        lines = "1 line reads" if count == 1 else f"{count:,} lines read"
        why = f"{lines} like a sentence about a password or key, not like a setting that holds one"
        yield Rejected("analyzer", "detect-secrets/secret-keyword", path, why)


def _mask_others(
    source: Source, hits: Sequence[Hit], others: Iterable[tuple[int, str, int, int]]
) -> tuple[Mask, ...]:
    """Known formats on lines that the change did not add, and the values of the hits wherever they stand."""
    masks = set(_find_elsewhere(source, hits))
    for line, kind, start, end in others:
        masks.update(_mask_hit(source, line, kind, ((start, end),)))
    return tuple(sorted(masks))


def _find_elsewhere(source: Source, hits: Sequence[Hit]) -> Iterator[Mask]:
    """Where the first values of a file stand, also without the name or the URL that gave them away.

    Bounded: formats with a prefix are found on every line without this, and a file may hold a hundred
    thousand tokens.
    """
    values: dict[str, None] = {}
    for hit in sorted(hits, key=lambda hit: hit.row.confidence):
        if len(values) >= VALUES_PER_FILE:
            break
        text = source.lines[hit.line - 1]
        if hit.row.rule != "private-key":
            values.update(dict.fromkeys(text[start:end] for start, end in hit.spans if end - start >= 8))
    if not values:
        return
    text = "\n".join(source.lines)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    for value in islice(values, VALUES_PER_FILE):
        for place in islice(_find_all(value, text), PLACES_PER_VALUE):
            line = bisect_right(starts, place)
            column = place - starts[line - 1]
            yield from mask_spans(source, line, [(column, column + len(value))])


def _find_all(value: str, text: str) -> Iterator[int]:
    place = text.find(value)
    while place >= 0:
        yield place
        place = text.find(value, place + len(value))


def _cap_guesses(path: str, every: Sequence[Evidence]) -> tuple[list[Evidence], list[Rejected]]:
    """Keep the first guesses of a file, and say how many more there are; their lines stay masked."""
    guesses = [item for item in every if item.confidence < 0.5]
    more = guesses[GUESSES_PER_FILE - 1 :]
    if len(more) < 2:
        return list(every), []
    left = {id(item) for item in more}
    kept = [item for item in every if id(item) not in left]
    masks = tuple(sorted({mask for item in more for mask in item.masks}))
    why = f"{len(more) - 1:,} more lines of this file look like secrets too; the first ones are shown"
    return [*kept, replace(more[0], masks=masks)], [Rejected("analyzer", "detect-secrets/guesses", path, why)]


def _evidence_of(source: Source, hits: Sequence[Hit]) -> Iterator[Evidence]:
    by_line: dict[int, list[Hit]] = {}
    for hit in hits:
        by_line.setdefault(hit.line, []).append(hit)
    return (_evidence(source, same) for same in by_line.values())


def _new_bodies(source: Source, others: Iterable[tuple[int, str, int, int]]) -> Iterator[Evidence]:
    """A private key whose first line is old and whose body the change replaced, at its first new line."""
    keys = {line: Hit(line, kind, ((start, end),)) for line, kind, start, end in others if kind in WITH_BODY}
    for hit in keys.values():
        item = _evidence(source, [hit])
        new = [n for n, _, _ in item.masks if any(first <= n <= last for first, last in source.change.added)]
        if new and item.severity is not LOW:
            yield replace(item, location=Location(source.path, new[0], new[0]))


def _evidence(source: Source, hits: Sequence[Hit]) -> Evidence:
    rated = [(*_rate(source, hit), hit) for hit in hits]
    severity, reason, hit = max(rated, key=lambda row: (row[0].rank, row[2].row.confidence))
    kind = hit.row
    return Evidence(
        id="",
        source="analyzer",
        tool="detect-secrets",
        rule=kind.rule,
        severity=severity,
        title=f"This line seems to hold {kind.what}",
        message=f"{reason} If it is real, revoke it: it stays in the history even when the line is removed.",
        location=Location(source.path, hit.line, hit.line),
        level=level_of(severity),
        confidence=kind.confidence,
        cwe=("CWE-798",),
        masks=tuple(sorted({m for hit in hits for m in _mask_hit(source, hit.line, hit.kind, hit.spans)})),
    )


def _rate(source: Source, hit: Hit) -> tuple[Severity, str]:
    """How bad a hit is, and one sentence why."""
    kind = hit.row
    if hit.placeholder or (hit.sample and is_trial(source.path)):
        return LOW, "The value is a published or made-up sample."
    if kind.rule == "private-key" and not has_body(source, hit.line, hit.spans[0][1]):
        return LOW, "Only the first line of a key stands here, with no key below it."
    if kind.rule == "basic-auth-url" and (why := _why_harmless(source, hit)):
        return LOW, why
    if is_trial(source.path):
        same = " as everywhere" if kind.trial is kind.severity else ""
        return kind.trial, f"In tests, examples and documents this is {kind.trial}{same}."
    if source.excluded and kind.severity is not HIGH:
        return lower(kind.severity), "Generated or vendored text often looks like this."
    return kind.severity, f"{'The format is known' if kind.confidence > 0.5 else 'This is a guess'}."


def _why_harmless(source: Source, hit: Hit) -> str | None:
    """Why no password of the line's URLs matters to others, if so."""
    text = source.lines[hit.line - 1]
    if all(_is_fixed_word(text, start, end) for start, end in hit.spans):
        return "The service wants this word as the password; the token before it is left to be filled in."
    hosts = [host for _, end in hit.spans for host in _hosts_at(text, end)]
    if all(_THIS_MACHINE.fullmatch(host) for host in hosts):
        return "The host is this machine."
    if any("." in host for host in hosts):
        return None
    if is_trial(source.path) or _DEVELOPMENT.fullmatch(source.path):
        return "The host is a name without a dot, in a file for development."
    if any(is_random(unquote(text[start:end])) for start, end in hit.spans):
        return None
    return "The host is a name without a dot, and the password a simple one, as in a development set-up."


def _is_fixed_word(text: str, start: int, end: int) -> bool:
    """Whether a password only says that the user name is the token, and that is a placeholder."""
    return bool(_FIXED_WORD.fullmatch(text[start:end]) and _OPEN_TOKEN.search(text[:start][-200:]))


def _hosts_at(text: str, place: int) -> Iterator[str]:
    """Each host of a URL whose hosts begin there, such as ``@db1:27017,db2``; a dot for what is no name."""
    found = _HOSTS.match(text, place)
    for part in filter(None, found[1].split(",")) if found else (".",):
        yield host[0] if (host := _HOST.match(part)) else "."


def is_random(password: str) -> bool:
    """Whether a decoded password looks made by a machine: 10 characters of mixed classes, no common word."""
    if len(password) < 10 or _SIMPLE.search(password):
        return False
    classes = ["a" if c.islower() else "A" if c.isupper() else "1" if c.isdigit() else "." for c in password]
    switches = sum(left != right for left, right in pairwise(classes))
    kinds = set(classes)
    return len(kinds) >= 3 or ("1" in kinds and not kinds.isdisjoint("aA") and switches >= 3)


def _mask_hit(source: Source, line: int, kind: str, spans: Iterable[tuple[int, int]]) -> Iterator[Mask]:
    """The places of one hit; of a private key its body, too."""
    rule = KINDS.get(kind, UNKNOWN).rule
    if rule == "private-key":
        yield from mask_key(source, line, min(end for _, end in spans))
        return
    yield from mask_spans(source, line, spans)
    if rule == "encoded-private-key":
        yield from mask_wrapped(source, line)
