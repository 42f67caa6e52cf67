"""The program that searches added lines for secrets: `python -I secret_program.py JOBS.json`, JSON on stdout.

It runs by itself, as an analyzer, with detect-secrets' detectors and the formats those lack. It calls
them line by line, because detect-secrets' own file reader skips every line of the form ``x = f("...")``,
keeps one line per secret, and moves line numbers where it parses YAML. No secret leaves this program:
it prints kinds, lines and columns.

Jobs: ``{"files": [{"suffix": ".py", "guess": true, "blocks": [[12, ["text", ...]], ...]}], "seconds": 20}``,
where 12 is the number of the first line of the block.
Answer: ``{"hits": [{"file": 0, "line": 12, "kind": "GitHub Token", "spans": [[4, 44]],
"sample": false, "placeholder": false, "prose": false}],
"slow": [3]}`` where ``slow`` are files that took longer than ``seconds`` and were left.
"""

import json
import math
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.keyword import KeywordDetector

MAX_GUESS_CHARACTERS = 1_000  # beyond, a line is generated text, and the guesses' patterns grow slow
WINDOW, OVERLAP = 4_096, 512
_SWITCHED_OFF = {"Public IP (ipv4)"}  # an address is no secret
_START, _END = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])"


class _Format(RegexBasedDetector):
    """A format that detect-secrets lacks, or knows only in an older form."""

    secret_type = ""

    def __init__(self, kind: str, pattern: str) -> None:
        self.secret_type = kind
        self.denylist = [re.compile(f"{_START}{pattern}{_END}")]

    denylist: Sequence[re.Pattern[str]] = ()


FORMATS = (
    # documented by their issuers as prefixes that secret scanning may rely on
    _Format("Anthropic API Key", r"sk-ant-[a-z]{3,6}\d{2}-[A-Za-z0-9_-]{20,}"),
    _Format("OpenAI Token", r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"),
    _Format("Google API Key", r"AIza[A-Za-z0-9_-]{35}"),
    _Format("GitHub Token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _Format("Hugging Face Token", r"hf_[A-Za-z]{34}"),
    _Format("DigitalOcean Token", r"do[opr]_v1_[a-f0-9]{64}"),
    _Format("NPM tokens", r"npm_[A-Za-z0-9]{36}"),
    _Format("Slack Token", r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}"),
    _Format("Private Key", r"BEGIN ENCRYPTED PRIVATE KEY"),
)
# `key = value` without quotes: detectors that guess want quotes
_UNQUOTED = re.compile(r"^(\s*(?:-\s+)?(?:export\s+)?[\w.\-/]+\s*[:=]\s*)([^\s'\"#][^\s'\"]*)(\s*(?:#.*)?)$")
_CONFIG_SUFFIXES = {".yml", ".yaml", ".ini", ".cfg", ".conf", ".cnf", ".properties", ".toml", ".env", ""}
_PLACEHOLDERS = re.compile(
    r"(user(name)?|pass(word|wd)?|pwd|pw|secret|token|key|change_?me|(your|my)[_-].*|example|test(ing)?|guest|admin|root"
    r"|postgres|mysql|redis|rabbitmq|foo|bar|baz|abc|hunter2|none|null|dummy|fake|[x*.]+)\d*",
    re.IGNORECASE,
)

_BACK_TICKS_QUOTE = {".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".go", ".sh", ".bash", ".sql"}
_COMMENT = re.compile(r"\s*(#|//|/?\*|--|;|<!--|\"\"\"|''')")
_WORD = re.compile(r"[(]?[A-Za-z][A-Za-z'-]*[.,:;!?)]{0,2}")

# What every hit needs. Most lines have none of it, which makes a scan ten times faster.
_MAY_BE_KNOWN = re.compile(r"://|BEGIN|PuTTY|xox|AKC|AP[\dA-F]|[A-Za-z0-9_+/=-]{20}")
_MAY_BE_KEYWORD = re.compile(r"key|pass|pwd|secret|contrase", re.IGNORECASE)
_MAY_BE_RANDOM = re.compile(r"['\"][A-Za-z0-9+/\\_=-]{9}")

Span = tuple[int, int]


def load_detectors() -> tuple[list[RegexBasedDetector], list[BasePlugin]]:
    """Detectors of known formats, and those that guess (entropy and keywords)."""
    classes: Mapping[str, type[Any]] = get_mapping_from_secret_type_to_class()
    every = [plugin() for kind, plugin in classes.items() if kind not in _SWITCHED_OFF]
    known = [plugin for plugin in every if isinstance(plugin, RegexBasedDetector)]
    guesses = [plugin for plugin in every if not isinstance(plugin, RegexBasedDetector)]
    return [*known, *FORMATS], guesses


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
                yield start + match.start(group), start + match.end(group)


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
        position = line.find(secret)
        while position >= 0:
            yield position, position + len(secret)
            position = line.find(secret, position + len(secret))


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


def scan_file(job: dict[str, Any], seconds: float) -> Iterator[dict[str, Any] | None]:
    """Each line's hits by kind; a last None where the time for the file ran out."""
    deadline = time.monotonic() + seconds
    known, guesses = load_detectors()
    lines = ((first + index, raw) for first, block in job["blocks"] for index, raw in enumerate(block))
    for number, raw in lines:
        line = raw.rstrip()
        found: dict[str, list[Span]] = {}
        try:
            for detector in known if _MAY_BE_KNOWN.search(line) else ():
                if spans := list(find_known(detector, line, deadline)):
                    found.setdefault(detector.secret_type, []).extend(spans)
        except TimeoutError:
            yield None
            return
        if time.monotonic() > deadline:
            yield None
            return
        if job["guess"] and not found and len(line) <= MAX_GUESS_CHARACTERS:
            for guess in guesses:
                if spans := list(find_guesses(guess, line, job["suffix"])):
                    found[guess.secret_type] = spans
        for kind, spans in found.items():
            values = [line[start:end] for start, end in spans] if kind != "Private Key" else []
            yield {
                "line": number,
                "kind": kind,
                "spans": spans,
                "sample": bool(values) and all(map(is_sample, values)),
                "placeholder": bool(values) and all(map(is_placeholder, values)),
                "prose": kind == "Secret Keyword" and all(is_prose(line, s, job["suffix"]) for s in spans),
            }


def main(argv: Sequence[str]) -> None:
    """Read the jobs, print the answer."""
    jobs = json.loads(Path(argv[1]).read_bytes())
    hits: list[dict[str, Any]] = []
    slow: list[int] = []
    for index, job in enumerate(jobs["files"]):
        for hit in scan_file(job, jobs["seconds"]):
            if hit is None:
                slow.append(index)
            else:
                hits.append({"file": index, **hit})
    json.dump({"hits": hits, "slow": slow}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv)
