"""What code scanning takes: GitHub's description of the upload and its documented maximum values.

https://docs.github.com/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.github.rules import Refusal
from tests.github.state import Repository

MOST_BYTES = 10 * 1000 * 1000
MOST_RUNS, MOST_RESULTS, MOST_TAGS, MOST_LOCATIONS = 20, 25_000, 20, 1_000
_PULL = re.compile(r"refs/pull/(\d+)/(head|merge)")


def check_sarif(found: Repository, said: Mapping[str, str]) -> dict[str, Any]:
    """The log that was uploaded. Raises Refusal (400, 403, 413)."""
    if not found.has_code_scanning:
        raise Refusal(403, "Advanced Security must be enabled for this repository to use code scanning.")
    if not _holds(found, said["ref"], said["commit_sha"]):
        raise Refusal(400, f"commit not found on {said['ref']}")
    try:
        packed = base64.b64decode(said["sarif"], validate=True)
        if len(packed) > MOST_BYTES:
            raise Refusal(413, "The SARIF file is too large")
        log = json.loads(gzip.decompress(packed))
    except (ValueError, OSError, EOFError):
        raise Refusal(400, "unable to decode the SARIF data: expected base64 of gzip") from None
    problems = [*_problems(log)]
    if problems:
        raise Refusal(400, f"Invalid SARIF. {problems[0]}")
    return dict(log)


def _holds(found: Repository, ref: str, commit: str) -> bool:
    pull = _PULL.fullmatch(ref)
    if pull:
        known = found.pulls.get(int(pull[1]))
        return known is not None and pull[2] == "head" and commit in known.known_heads
    return found.resolve(ref.removeprefix("refs/")) == commit


def _problems(log: Any) -> Iterator[str]:
    if not isinstance(log, dict) or log.get("version") != "2.1.0":
        yield "The version must be 2.1.0."
        return
    runs = log.get("runs", [])
    if len(runs) > MOST_RUNS:
        yield f"More than {MOST_RUNS} runs."
    categories = [(run["tool"]["driver"]["name"], run.get("automationDetails", {}).get("id")) for run in runs]
    if len(set(categories)) != len(categories):
        yield "Two runs have one tool and one category."
    for run in runs:
        yield from _run_problems(run)


def _run_problems(run: Mapping[str, Any]) -> Iterator[str]:
    results, rules = run.get("results", []), run["tool"]["driver"].get("rules", [])
    if len(results) > MOST_RESULTS or len(rules) > MOST_RESULTS:
        yield f"More than {MOST_RESULTS} results or rules."
    for rule in rules:
        if len(rule.get("properties", {}).get("tags", [])) > MOST_TAGS:
            yield f"The rule {rule['id']} has more than {MOST_TAGS} tags."
    for result in results:
        places = result.get("locations", [])
        if not 1 <= len(places) <= MOST_LOCATIONS:
            yield "Code scanning takes a result at 1 to 1,000 locations."
            continue
        uri = places[0]["physicalLocation"]["artifactLocation"]["uri"]
        if urlsplit(uri).scheme or uri.startswith("/") or ".." in uri.split("/"):
            yield f"{uri} is not relative to the repository."
        if not result.get("partialFingerprints"):
            yield "A result without partialFingerprints would be a new alert each time."
