"""The program that searches text for secrets: `python -I secret_program.py JOBS.json`, JSON on stdout.

It runs by itself, as an analyzer, with detect-secrets' detectors and the formats those lack. It calls
them line by line, because detect-secrets' own file reader skips every line of the form ``x = f("...")``,
keeps one line per secret, and moves line numbers where it parses YAML. No secret leaves this program:
it prints kinds, lines and columns.

Jobs: ``{"files": [{"suffix": ".py", "guess": true, "lines": ["text", ...], "added": [[12, 14]]}],
"seconds": 20}``: all lines of a file, and the ranges of those that the change added.
Answer, in the same order: ``{"files": [{"hits": [{"line": 12, "kind": "GitHub Token", "spans": [[4, 44]],
"sample": false, "placeholder": false, "prose": false}], "masks": [[3, "GitHub Token", 4, 44]],
"slow": false}]}``. ``hits`` stand on added lines. ``masks`` are the known formats on all other lines, and,
with the kind "", whole lines that the time did not suffice for; ``slow`` says that it did not suffice for
the added lines.
"""

import base64
import json
import math
import re
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.keyword import KeywordDetector

MAX_GUESS_CHARACTERS = 1_000  # beyond, a line is generated text, and the guesses' patterns grow slow
WINDOW, OVERLAP = 4_096, 512
LONGEST = 65_536
OTHER_SECONDS_SHARE = 0.25  # of the time of a file, for the lines that the change did not add
_SWITCHED_OFF = {"Public IP (ipv4)"}  # an address is no secret
_START, _END = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))", r"(?![A-Za-z0-9_-])"  # or after an escaped line end


class _Format(RegexBasedDetector):
    """A format that detect-secrets lacks, or knows only in an older form; ``alone``: as a word of its own."""

    secret_type = ""
    denylist: Sequence[re.Pattern[str]] = ()

    def __init__(self, kind: str, pattern: str, *, alone: bool = True) -> None:
        self.secret_type = kind
        self.denylist = [re.compile(f"{_START}{pattern}{_END}" if alone else pattern)]


class _EncodedKey(_Format):
    """Base64 of a PEM block, told from a certificate by its decoded first line."""

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Each match whose first bytes name a private key."""
        for match in self.denylist[0].finditer(string):
            start = match.group()[:80].rstrip("=")
            if b"PRIVATE KEY" in base64.b64decode(start[: len(start) // 4 * 4]):
                yield match.group()


_ALL_CLASSES = r"(?=[^\W\d]{0,99}\d)(?=[A-Z\d_/+-]{0,99}[a-z])(?=[a-z\d_/+-]{0,99}[A-Z])"
_AWS_VALUE = (
    r"(?=[a-zA-Z/+]{0,39}\d)(?=[A-Z0-9/+]{0,39}[a-z])(?=[a-z0-9/+]{0,39}[A-Z])"
    r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
)
"""AWS's secret keys have no prefix: 40 characters of base64, of all classes, so that no git id is one."""

_AWS_NAME = r"(?i:aws[_-]?secret[_-]?(?:access[_-]?)?key|secret_?access_?key)"
# also without a user name, and with characters that detect-secrets does not take for a password's
_NOT_IN_PASSWORDS = r":/?#@\s\"'`<>(){}"
_URL = (
    r"://[^:/?#\[\]@\s\"'`<>]{0,100}:"
    rf"([^{_NOT_IN_PASSWORDS}$][^{_NOT_IN_PASSWORDS}]{{2,200}})@(?=[\w\[])"
)

FORMATS = (
    # documented by their issuers as prefixes that secret scanning may rely on
    _Format("Anthropic API Key", r"sk-ant-[a-z]{3,6}\d{2}-[A-Za-z0-9_-]{20,}"),
    _Format("OpenAI Token", r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"),
    _Format("Google API Key", r"AIza[A-Za-z0-9_-]{35}"),
    _Format("Google OAuth Secret", r"GOCSPX-[A-Za-z0-9_-]{28}"),
    _Format("GitHub Token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _Format("Hugging Face Token", r"hf_[A-Za-z]{34}"),
    _Format("DigitalOcean Token", r"do[opr]_v1_[a-f0-9]{64}"),
    _Format("NPM tokens", r"npm_[A-Za-z0-9]{36}"),
    _Format("Slack Token", r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}"),
    _Format("Stripe Access Key", r"[rs]k_live_[A-Za-z0-9]{24,}"),
    _Format("Shopify Token", r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{32}"),
    _Format("Vault Token", rf"hv[bs]\.{_ALL_CLASSES}[\w-]{{24,}}"),  # else `hvs.` and a name of a program
    _Format("Databricks Token", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _Format("Grafana Token", r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    _Format("Docker Token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    _Format("Webhook Secret", r"whsec_[A-Za-z0-9+/]{24,}"),
    _Format("age Secret Key", r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),  # Bech32's alphabet
    _Format("AWS Secret Key", rf"{_AWS_NAME}\W{{1,30}}?{_AWS_VALUE}", alone=False),
    _Format("Basic Auth Credentials", _URL, alone=False),
    _Format("Private Key", r"BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?", alone=False),
    _Format("Private Key", r"PuTTY-User-Key-File-\d", alone=False),
    _EncodedKey("Encoded Private Key", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{26,}={0,2}", alone=False),
)
# Terraform's providers and backends name it without `aws`
TERRAFORM = (_Format("AWS Secret Key", rf"\bsecret_key\W{{1,30}}?{_AWS_VALUE}", alone=False),)
# `key = value` without quotes: detectors that guess want quotes
_UNQUOTED = re.compile(r"^(\s*(?:-\s+)?(?:export\s+)?[\w.\-/]+\s*[:=]\s*)([^\s'\"#][^\s'\"]*)(\s*(?:#.*)?)$")
_CONFIG_SUFFIXES = {".yml", ".yaml", ".ini", ".cfg", ".conf", ".cnf", ".properties", ".toml", ".env", ""}
_PLACEHOLDERS = re.compile(
    r"(user(name)?|pass(word|wd)?|pwd|pw|secret|token|key|change_?me|example|test(ing)?|guest|admin|root"
    r"|postgres|mysql|redis|rabbitmq|foo|bar|baz|abc|hunter2|none|null|dummy|fake|[x*.]+)\d*"
    r"|(your|my)[_-](?-i:[^\dA-Z]*|[^\da-z]*)",  # with digits or mixed case it may be a value
    re.IGNORECASE,
)

_BACK_TICKS_QUOTE = {".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".go", ".sh", ".bash", ".sql"}
_COMMENT = re.compile(r"\s*(#|//|/?\*|--|;|<!--|\"\"\"|''')")
_WORD = re.compile(r"[(]?[A-Za-z][A-Za-z'-]*[.,:;!?)]{0,2}")

# What every hit needs. Most lines have none of it, which makes a scan ten times faster.
_MAY_BE_KNOWN = re.compile(r"://|BEGIN|PuTTY|xox|AKC|AP[\dA-F]|[A-Za-z0-9_+/=-]{20}")
_MAY_BE_KEYWORD = re.compile(r"key|pass|pwd|secret|contrase", re.IGNORECASE)
_MAY_BE_RANDOM = re.compile(r"['\"][A-Za-z0-9+/\\_=-]{9}")

_REST = re.compile(r"[A-Za-z0-9+/=_-]*+")
_BASE64_END = re.compile(r"[A-Za-z0-9+/]{1,40}$")
_AWS_ID = re.compile(r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}")
# A name in braces, whose value is put in when the program runs
_FIELD = re.compile(r"\{(?:[A-Za-z_][\w.]{0,100}(?:\(\)|\[[\w'\"]{1,50}\])?(?:![rsa])?|\d)?\}")

Span = tuple[int, int]


def load_detectors(suffix: str = "") -> tuple[list[RegexBasedDetector], list[BasePlugin]]:
    """Detectors of known formats in files of this kind, and those that guess (entropy and keywords)."""
    classes: Mapping[str, type[Any]] = get_mapping_from_secret_type_to_class()
    every = [plugin() for kind, plugin in classes.items() if kind not in _SWITCHED_OFF]
    known = [plugin for plugin in every if isinstance(plugin, RegexBasedDetector)]
    guesses = [plugin for plugin in every if not isinstance(plugin, RegexBasedDetector)]
    return [*known, *FORMATS, *(TERRAFORM if suffix in (".tf", ".tfvars") else ())], guesses


def find_known(detector: RegexBasedDetector, line: str, deadline: float = math.inf) -> Iterator[Span]:
    """Where a known format stands in the line: the group that holds the secret, else the whole match.

    Raises TimeoutError once ``time.monotonic()`` is past the deadline: some detectors' patterns are
    quadratic inside a window, and a line may have thousands of them.
    """
    for start in range(0, len(line), WINDOW - OVERLAP):
        if time.monotonic() > deadline:
            raise TimeoutError
        window = line[start : start + WINDOW]
        values = set(detector.analyze_string(window))
        if not values:
            continue
        for pattern in detector.denylist:
            for match in pattern.finditer(window):
                if values.isdisjoint((match.group(), *match.groups())):
                    continue  # some detectors check more than the pattern
                group = max(range(len(match.groups()) + 1), key=lambda n: _worth(match, n))
                if _FIELD.fullmatch(match.group(group)) or _is_inside_base64(window, match):
                    continue
                end = start + match.end(group)
                if match.end(group) == WINDOW:  # the secret goes on behind the window
                    end = _REST.match(line, end, end + LONGEST).end()  # type: ignore[union-attr]
                yield start + match.start(group), end


def _is_inside_base64(text: str, match: "re.Match[str]") -> bool:
    """Whether an AWS access key id stands in the middle of encoded bytes, which are full of its letters."""
    if not _AWS_ID.fullmatch(match.group()) or not text[: match.start()][-1:].isalnum():
        return False
    around = text[max(0, match.start() - 40) : match.start()], text[match.end() : match.end() + 40]
    before, after = _BASE64_END.search(around[0]), _REST.match(around[1])
    return len(before[0] if before else "") + len(after[0] if after else "") >= 20  # as many as it has itself


def _worth(match: "re.Match[str]", group: int) -> int:
    """The longest group wins over the whole match, unless it is a mere prefix such as ``ghp``."""
    whole, text = match.group(), match.group(group) or ""
    return 1 if group == 0 else (len(text) + 1 if text and not whole.startswith(text) else 0)


def find_guesses(detector: BasePlugin, line: str, suffix: str) -> Iterator[Span]:
    """Where a detector that guesses sees a secret which none of detect-secrets' own filters explains."""
    is_config = suffix in _CONFIG_SUFFIXES
    text = _UNQUOTED.sub(r'\1"\2"\3', line) if is_config else line
    name = "x.ini" if is_config else f"x{suffix}"
    needed = _MAY_BE_KEYWORD if isinstance(detector, KeywordDetector) else _MAY_BE_RANDOM
    if not needed.search(text) or heuristic.is_indirect_reference(text):
        return
    for found in detector.analyze_line(filename=name, line=text, line_number=1):
        secret = found.secret_value
        if not secret or _is_explained(secret, text, detector):
            continue
        places = [match.span() for match in re.finditer(re.escape(secret), line)]
        yield from places or [(0, len(line))]  # the detector may have unescaped it


def _is_explained(secret: str, line: str, detector: BasePlugin) -> bool:
    return bool(
        heuristic.is_sequential_string(secret)
        or heuristic.is_potential_uuid(secret)
        or heuristic.is_likely_id_string(secret, line, detector)
        or heuristic.is_templated_secret(secret)
        or heuristic.is_prefixed_with_dollar_sign(secret)
        or heuristic.is_not_alphanumeric_string(secret)
        or _PLACEHOLDERS.fullmatch(secret)
    )


def is_prose(line: str, span: Span, suffix: str) -> bool:
    """Whether a keyword's guessed value stands in a sentence about secrets rather than in a setting.

    It does where the value stands in back-ticks, in languages in which those quote no string, and where
    plain words stand around it (or in it, where no quotes hold it together): four in a comment, eight
    elsewhere.
    """
    before = line[: span[0]]
    mark = before[-1:]
    if mark == "`" and suffix not in _BACK_TICKS_QUOTE:
        return True
    rest = f"{before} {line[span[1] :]}" if mark in ("'", '"') else line
    enough = 4 if _COMMENT.match(line) else 8
    return sum(bool(_WORD.fullmatch(word)) for word in rest.split()) >= enough


def is_placeholder(value: str) -> bool:
    """No value at all: ``your-token``, or a row of one letter."""
    return len(set(_tail(value))) <= 4 or bool(_PLACEHOLDERS.fullmatch(value.strip("<>{}[]$%")))


def is_sample(value: str) -> bool:
    """Published or made-up values: AWS's ``...EXAMPLE``, runs of the alphabet, and placeholders."""
    sequential = heuristic.is_sequential_string(_tail(value)[-10:])
    return "EXAMPLE" in value or sequential or is_placeholder(value)


def _tail(value: str) -> str:
    """The last 20 characters of what follows a prefix such as ``sk_live_``."""
    return re.sub(r"^[A-Za-z]{2,10}[_-]([a-z0-9]+[_-])*", "", value)[-20:]


def scan_file(job: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The answer for one file; lines that the time does not suffice for are hidden whole."""
    known, guesses = load_detectors(job["suffix"])
    lines: list[str] = [raw.rstrip() for raw in job["lines"]]
    added = [number for first, last in job["added"] for number in range(first, min(last, len(lines)) + 1)]
    guesses = guesses if job["guess"] else []
    deadline = time.monotonic() + seconds
    hits: list[dict[str, Any]] = []
    number = 0
    try:
        for number in added:
            hits += scan_line(number, lines[number - 1], known, guesses, job["suffix"], deadline=deadline)
    except TimeoutError:
        unread = sorted(set(range(1, len(lines) + 1)).difference(n for n in added if n < number))
        return {"hits": hits, "masks": hide_lines(lines, unread), "slow": True}
    others = sorted(set(range(1, len(lines) + 1)).difference(added))
    deadline = time.monotonic() + seconds * OTHER_SECONDS_SHARE
    return {"hits": hits, "masks": scan_others(lines, others, known, deadline), "slow": False}


def scan_line(
    number: int,
    line: str,
    known: Sequence[RegexBasedDetector],
    guesses: Sequence[BasePlugin],
    suffix: str,
    *,
    deadline: float,
) -> Iterator[dict[str, Any]]:
    """One line's hits by kind; raises TimeoutError past the deadline."""
    found = find_all_known(known, line, deadline)
    if not found and len(line) <= MAX_GUESS_CHARACTERS:
        for guess in guesses:
            if spans := list(find_guesses(guess, line, suffix)):
                found[guess.secret_type] = spans
    for kind, spans in found.items():
        values = [line[start:end] for start, end in spans] if kind != "Private Key" else []
        yield {
            "line": number,
            "kind": kind,
            "spans": spans,
            "sample": bool(values) and all(map(is_sample, values)),
            "placeholder": bool(values) and all(map(is_placeholder, values)),
            "prose": kind == "Secret Keyword" and all(is_prose(line, s, suffix) for s in spans),
        }


def find_all_known(
    detectors: Sequence[RegexBasedDetector], line: str, deadline: float
) -> dict[str, list[Span]]:
    """Where known formats stand in a line, by kind; raises TimeoutError past the deadline."""
    if time.monotonic() > deadline:
        raise TimeoutError
    found: dict[str, list[Span]] = {}
    for detector in detectors if _MAY_BE_KNOWN.search(line) else ():
        if spans := list(find_known(detector, line, deadline)):
            same = found.setdefault(detector.secret_type, [])
            same += (span for span in spans if span not in same[-200:])
    return found


def scan_others(
    lines: Sequence[str], numbers: Sequence[int], known: Sequence[RegexBasedDetector], deadline: float
) -> list[tuple[int, str, int, int]]:
    """Line, kind and columns of the known formats on some lines; no finding, but nothing may show them."""
    masks: list[tuple[int, str, int, int]] = []
    for index, number in enumerate(numbers):
        try:
            found = find_all_known(known, lines[number - 1], deadline)
        except TimeoutError:
            return masks + hide_lines(lines, numbers[index:])
        masks += ((number, kind, start, end) for kind, spans in found.items() for start, end in spans)
    return masks


def hide_lines(lines: Sequence[str], numbers: Sequence[int]) -> list[tuple[int, str, int, int]]:
    """All that may hold a secret, whole."""
    return [(number, "", 0, -1) for number in numbers if _MAY_BE_KNOWN.search(lines[number - 1])]


def main(argv: Sequence[str]) -> None:
    """Read the jobs, print the answer."""
    jobs = json.loads(Path(argv[1]).read_bytes())
    json.dump({"files": [scan_file(job, jobs["seconds"]) for job in jobs["files"]]}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv)
