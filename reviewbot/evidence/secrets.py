"""Secrets in the added lines of every text file, found by detect-secrets' detectors and some of ours.

Known formats block; guesses (keywords, entropy) do not. The secret itself is never kept: evidence says
where it stands and how the line may be shown instead.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from reviewbot.core import Evidence, Location, Rejected, Severity
from reviewbot.evidence.sources import (
    Bench,
    Completed,
    Outcome,
    Placed,
    Report,
    Source,
    in_batches,
    is_trial,
    level_of,
    lower,
    parse_json,
)

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
SECONDS_PER_FILE = 20
GUESSES_PER_FILE = 25
"""A table of hashes or test vectors makes one guess per line; nobody reads the hundredth."""
KEY_LINES = 200
"""How many lines below a private key's first one are masked at most, where no END line comes."""

VALUES_PER_FILE = LINES_PER_VALUE = 100
"""How many values are looked for in the whole file, and on how many lines each is masked."""

_PROGRAM = Path(__file__).with_name("secret_program.py")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: ``rule`` is its id, ``trial`` its severity in tests, examples and documents."""

    rule: str
    severity: Severity
    confidence: float
    trial: Severity
    what: str


def _known(rule: str, what: str, trial: Severity = HIGH) -> Kind:
    """A format of its own with a fixed prefix: chance does not write it, also not in tests."""
    return Kind(rule, HIGH, 0.9, trial, what)


def _loose(rule: str, what: str) -> Kind:
    """A format that other text has too (32 letters and digits): shown, but never a blocker."""
    return Kind(rule, MEDIUM, 0.5, LOW, what)


def _guess(rule: str, what: str) -> Kind:
    """No format at all: below the confidence that blocks."""
    return Kind(rule, MEDIUM, 0.4, LOW, what)


KINDS: Mapping[str, Kind] = {
    "AWS Access Key": _known("aws-access-key", "an AWS key"),
    "Anthropic API Key": _known("anthropic-api-key", "an Anthropic API key"),
    "Azure Storage Account access key": _known("azure-storage-key", "an Azure storage account key"),
    "DigitalOcean Token": _known("digitalocean-token", "a DigitalOcean token"),
    "Discord Bot Token": _known("discord-bot-token", "a Discord bot token"),
    "GitHub Token": _known("github-token", "a GitHub token"),
    "GitLab Token": _known("gitlab-token", "a GitLab token"),
    "Google API Key": _known("google-api-key", "a Google API key"),
    "Hugging Face Token": _known("hugging-face-token", "a Hugging Face token"),
    "NPM tokens": _known("npm-token", "an npm token"),
    "OpenAI Token": _known("openai-api-key", "an OpenAI API key"),
    "PyPI Token": _known("pypi-token", "a PyPI token"),
    "SendGrid API Key": _known("sendgrid-api-key", "a SendGrid API key"),
    "Slack Token": _known("slack-token", "a Slack token or web hook"),
    "Square OAuth Secret": _known("square-oauth-secret", "a Square OAuth secret"),
    "Stripe Access Key": _known("stripe-access-key", "a live Stripe key"),
    "Telegram Bot Token": _known("telegram-bot-token", "a Telegram bot token"),
    # tests need keys, tokens and URLs of their own
    "Private Key": _known("private-key", "a private key", MEDIUM),
    "JSON Web Token": Kind("json-web-token", MEDIUM, 0.6, LOW, "a JSON Web Token; many are short-lived"),
    "Basic Auth Credentials": Kind("basic-auth-url", HIGH, 0.7, MEDIUM, "a URL with a password"),
    "Artifactory Credentials": _loose("artifactory-credentials", "an Artifactory credential"),
    "Cloudant Credentials": _loose("cloudant-credentials", "a Cloudant credential"),
    "IBM Cloud IAM Key": _loose("ibm-cloud-iam-key", "an IBM Cloud key"),
    "IBM COS HMAC Credentials": _loose("ibm-cos-hmac", "an IBM object storage credential"),
    "Mailchimp Access Key": _loose("mailchimp-access-key", "a Mailchimp key"),
    "SoftLayer Credentials": _loose("softlayer-credentials", "a SoftLayer credential"),
    "Twilio API Key": _loose("twilio-api-key", "a Twilio key or account id"),
    "Secret Keyword": _guess("secret-keyword", "a password or key, from the name it is given"),
    "Base64 High Entropy String": _guess("base64-high-entropy", "a secret, from how random it is"),
    "Hex High Entropy String": _guess("hex-high-entropy", "a secret, from how random it is"),
}
UNKNOWN = _loose("unknown-format", "a secret of a format that has no row in our table yet")
_BODY = re.compile(
    r"^[\s\"'+#*/>|]*+(?:(?=[A-Za-z+/=]*+[0-9])[A-Za-z0-9+/=]{8,}+|[A-Za-z0-9+/=]{12,}+)[\s\\nr\"'+,;.]*+$"
    r"|[A-Za-z0-9+/]{40}"
)
"""A line of a key below its first one: hardly anything but letters of base64."""
_BODY_BEHIND = re.compile(r"[A-Za-z0-9+/]{12}")
_HOST = re.compile(r"@([A-Za-z0-9.\-]+)")
_TOKENS = re.compile(r"[A-Za-z0-9+/=_.\-]{6,}")


@dataclass(frozen=True, slots=True)
class Hit:
    """One kind of secret on one head line, at these columns; ``sample``: most likely no real value."""

    line: int
    kind: str
    spans: tuple[tuple[int, int], ...]
    sample: bool
    placeholder: bool

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
    )


def _job(source: Source) -> dict[str, Any]:
    name = PurePosixPath(source.path).name.lower()
    suffix = ".env" if name.startswith(".env") else PurePosixPath(name).suffix
    return {
        "suffix": suffix if _SUFFIX.fullmatch(suffix) else "",
        "guess": not (source.excluded or source.change.is_symlink),
        "blocks": [[first, source.lines[first - 1 : last]] for first, last in source.change.added],
    }


def parse_answer(answer: Any, sources: Sequence[Source], done: Completed) -> Outcome:
    """The scanner's answer -> one piece of evidence per line, of the worst kind that stands there."""
    found: dict[tuple[int, int], list[Hit]] = {}
    prose: Counter[str] = Counter()
    try:
        for row in answer["hits"]:
            if row["prose"]:
                prose[sources[int(row["file"])].path] += 1
                continue
            spans = tuple((int(start), int(end)) for start, end in row["spans"])
            hit = Hit(
                int(row["line"]), str(row["kind"]), spans, bool(row["sample"]), bool(row["placeholder"])
            )
            found.setdefault((int(row["file"]), hit.line), []).append(hit)
        slow = {sources[int(index)].path for index in answer["slow"]}
        places = _find_elsewhere(sources, found)
        every = [_evidence(sources[index], hits, places[index]) for (index, _), hits in found.items()]
    except (KeyError, TypeError, ValueError, IndexError):
        return Outcome(done, failure="detect-secrets printed an answer of unknown form")
    unread = dict.fromkeys(slow, f"detect-secrets took longer than {SECONDS_PER_FILE} seconds for this file")
    evidence, rejected = _cap_guesses(every)
    return Outcome(done, evidence, unread, (*rejected, *(_told_of(path, n) for path, n in prose.items())))


def _told_of(path: str, count: int) -> Rejected:
    lines = "1 line reads" if count == 1 else f"{count:,} lines read"
    why = f"{lines} like a sentence about a password or key, not like a setting that holds one"
    return Rejected("analyzer", "detect-secrets/secret-keyword", path, why)


def _find_elsewhere(
    sources: Sequence[Source], found: Mapping[tuple[int, int], Sequence[Hit]]
) -> dict[int, dict[str, list[int]]]:
    """For each file, the lines that hold the values that were found in it.

    Only for the first values of a file and the first lines of a value: the added lines have hits of
    their own, and a file may hold a hundred thousand tokens.
    """
    places: dict[int, dict[str, list[int]]] = {index: {} for index, _ in found}
    for (index, line), hits in found.items():
        text = sources[index].lines[line - 1]
        values = {text[start:end] for hit in hits for start, end in hit.spans if end - start >= 8}
        for value in values if not any(hit.row.rule == "private-key" for hit in hits) else ():
            if len(places[index]) < VALUES_PER_FILE and value not in places[index]:
                holding = (n for n, other in enumerate(sources[index].lines, 1) if value in other)
                places[index][value] = list(islice(holding, LINES_PER_VALUE))
    return places


def _cap_guesses(every: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Rejected, ...]]:
    """Keep the first guesses of each file, and say how many more there are; their lines stay masked."""
    guesses: dict[str, list[Evidence]] = {}
    kept: list[Evidence] = []
    for item in every:
        assert item.location is not None
        same = guesses.setdefault(item.location.path, [])
        if item.confidence < 0.5:
            same.append(item)
        if item.confidence >= 0.5 or len(same) < GUESSES_PER_FILE:
            kept.append(item)
    rejected: list[Rejected] = []
    for path, items in guesses.items():
        if more := items[GUESSES_PER_FILE - 1 :]:
            masks = dict(mask for item in more for mask in item.masks)
            kept.append(replace(more[0], masks=tuple(sorted(masks.items()))))
        if len(more) > 1:
            why = f"{len(more) - 1:,} more lines of this file look like secrets too; the first ones are shown"
            rejected.append(Rejected("analyzer", "detect-secrets/guesses", path, why))
    return tuple(kept), tuple(rejected)


def _evidence(source: Source, hits: Sequence[Hit], places: Mapping[str, Sequence[int]]) -> Evidence:
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
        masks=_masks(source, hits, places),
    )


def _rate(source: Source, hit: Hit) -> tuple[Severity, str]:
    """How bad a hit is, and one sentence why."""
    kind = hit.row
    if hit.placeholder or (hit.sample and is_trial(source.path)):
        return LOW, "The value is a published or made-up sample."
    if kind.rule == "private-key" and not _has_body(source, hit):
        return LOW, "Only the first line of a key stands here, with no key below it."
    if kind.rule == "basic-auth-url" and _is_local(source, hit):
        return LOW, "The host is this machine or a name without a dot, as in a development set-up."
    if is_trial(source.path):
        same = " as everywhere" if kind.trial is kind.severity else ""
        return kind.trial, f"In tests, examples and documents this is {kind.trial}{same}."
    if source.excluded and kind.severity is not HIGH:
        return lower(kind.severity), "Generated or vendored text often looks like this."
    return kind.severity, f"{'The format is known' if kind.confidence > 0.5 else 'This is a guess'}."


def _is_local(source: Source, hit: Hit) -> bool:
    """Whether every URL's host is a name that only resolves nearby."""
    hosts = [_HOST.match(source.lines[hit.line - 1], end) for _, end in hit.spans]
    return all(host is not None and ("." not in host[1] or host[1].startswith("127.")) for host in hosts)


def _has_body(source: Source, hit: Hit) -> bool:
    rest = source.lines[hit.line - 1][hit.spans[0][1] :]
    below = source.lines[hit.line : hit.line + 6]  # PGP and PuTTY keys have a few header lines
    return bool(_BODY_BEHIND.search(rest)) or any(_BODY.search(line) for line in below)


def _masks(
    source: Source, hits: Sequence[Hit], places: Mapping[str, Sequence[int]]
) -> tuple[tuple[int, str], ...]:
    """The line with its secrets covered, a key's body, and other lines that hold the same secrets."""
    line = hits[0].line
    text = source.lines[line - 1]
    values = list(dict.fromkeys(text[start:end] for hit in hits for start, end in hit.spans))
    masks: dict[int, str] = {}
    if any(hit.row.rule == "private-key" for hit in hits):
        masks.update(_mask_key(source, line))
    else:
        for value in values:
            for number in places.get(value, ()):
                masks[number] = mask_values(masks.get(number, source.lines[number - 1]), [value])
        masks[line] = mask_values(text, values)
    return tuple(sorted(masks.items()))


def mask_values(line: str, values: Sequence[str]) -> str:
    """Cover the values: the first four characters of long ones stay, short ones vanish whole.

    Where nothing could be covered, every run of letters right of the first quote, ``=`` or ``:`` is.
    """
    masked = line
    for value in sorted({value for value in values if value}, key=len, reverse=True):
        masked = masked.replace(value, f"{value[:4] if len(value) >= 12 else ''}********")
    if masked != line:
        return masked
    start = min((line.find(mark) for mark in "'\"=:" if mark in line), default=0)
    return line[:start] + _TOKENS.sub("********", line[start:])


def _mask_key(source: Source, line: int) -> dict[int, str]:
    """A key's lines from below BEGIN through END; on the BEGIN line what follows the header."""
    masks = {line: _BODY.sub("********", source.lines[line - 1])}
    masks[line] = re.sub(r"(?<=\*)[A-Za-z0-9+/=]+", "", masks[line])
    for number in range(line + 1, min(line + KEY_LINES, source.last_line) + 1):
        text = source.lines[number - 1]
        if "END" in text and "PRIVATE KEY" in text:
            masks[number] = re.sub(r"[A-Za-z0-9+/=]{16,}", "********", text)
            break
        if text.strip():
            masks[number] = "********"
    return masks
