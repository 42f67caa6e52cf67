"""Dockerfiles through hadolint, which also runs ShellCheck on their RUN lines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from reviewbot.core import Evidence, Rejected, Severity
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
    is_trial,
    lower,
    make_evidence,
    parse_json,
)

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO
PARSE_ERROR = "DL1000"

RULES: Mapping[str, Rule] = {
    PARSE_ERROR: Rule(MEDIUM, 0.8, None, "hadolint cannot parse it, so no other rule read it"),
    "DL3002": Rule(HIGH, 0.8, "CWE-250", "whoever breaks out of the program is root in the container"),
    "DL3004": Rule(HIGH, 0.8, "CWE-250", "sudo in an image gives every process a way to root"),
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
_NAME = re.compile(r"(dockerfile|containerfile)(\..+)?|.+\.(dockerfile|containerfile)", re.IGNORECASE)
_NOT_DOCKERFILES = (
    *(".j2", ".jinja", ".jinja2", ".in", ".tmpl", ".tpl", ".template", ".erb", ".mustache", ".hbs", ".m4"),
    *(
        ".md",
        ".rst",
        ".txt",
        ".html",
        ".py",
        ".go",
        ".js",
        ".ts",
        ".rb",
        ".java",
        ".cs",
        ".json",
        ".yml",
        ".yaml",
    ),
    *(".sh", ".dockerignore", ".lock", ".orig", ".bak", ".patch", ".diff", ".sarif"),
)
_HERE_DOCUMENT = re.compile(r"\s*(?:RUN|COPY|ADD)\b.*<<-?[\"']?(\w+)[\"']?", re.IGNORECASE)
# hadolint has no switch against ShellCheck's own directives, nor against `# hadolint shell=`
_DIRECTIVE = re.compile(r"(#\s*)(shellcheck|hadolint)\b")


def scan_hadolint(sources: Sequence[Source], bench: Bench) -> Report:
    """Run hadolint on the Dockerfiles. A file it cannot parse is not ``read``; the error is evidence."""
    files = [
        _place(source, bench)
        for source in sources
        if is_dockerfile(source.path) and not source.excluded and not source.change.is_symlink
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
    torn = {item.location.path for item in evidence if item.rule == PARSE_ERROR and item.location}
    return Report(
        evidence,
        frozenset(placed.source.path for placed in files) - set(failed) - torn,
        failed,
        tuple(item for outcome in outcomes for item in outcome.rejected),
        calls,
    )


def is_dockerfile(path: str) -> bool:
    """``Dockerfile``, ``Containerfile``, ``Dockerfile.prod``, ``web.dockerfile``; no templates, no texts."""
    name = PurePosixPath(path).name
    return bool(_NAME.fullmatch(name)) and not name.lower().endswith(_NOT_DOCKERFILES)


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


def parse_results(rows: Sequence[Any], files: Mapping[str, Placed], done: Completed) -> Outcome:
    """Hadolint's JSON results -> evidence; what is not of its form, or not of our files, is rejected."""
    evidence: list[Evidence] = []
    rejected: list[Rejected] = []
    for row in rows:
        try:
            evidence.append(_evidence(files[row["file"]], row))
        except (KeyError, TypeError, ValueError):
            why = "hadolint printed a result of unknown form"
            rejected.append(Rejected("analyzer", "hadolint/unknown", None, why))
    return Outcome(done, tuple(evidence), rejected=tuple(rejected))


def _evidence(placed: Placed, row: Mapping[str, Any]) -> Evidence:
    code = str(row["code"])
    location = placed.locate(row["line"], row["line"])
    if location is None:
        raise ValueError("no line of the file")
    rule = RULES.get(code) or BY_LEVEL[row["level"]]
    if is_trial(placed.source.path):
        rule = replace(rule, severity=lower(rule.severity))
    return make_evidence("hadolint", code, rule, clean(row["message"]), location)
