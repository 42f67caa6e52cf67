"""The verdict as a check run on the reviewed commit, and the sentence that says what gates.

A check run shows annotations at the lines of the commit, sent in pages, and every file of the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reviewbot.core import Conclusion, CoverageRow, Finding, Review, Sha, Side, Trigger, TriggerKind
from reviewbot.github.api import GitHubDenied, GitHubError
from reviewbot.publish import summary
from reviewbot.publish.annotations import sentences
from reviewbot.publish.markdown import markdown_ledger, render_markdown
from reviewbot.publish.sanitize import markdown_code, markdown_text, one_line, terminal_text

PAGE = 50
"""Annotations that GitHub takes in one request: https://docs.github.com/rest/checks/runs."""

MOST_ANNOTATIONS = 200
"""Annotations of one check run; the text counts the others."""

TEXT_LIMIT = 65_535
"""Characters that GitHub takes as the text of a check run."""

JOB_GATES = (TriggerKind.PULL_REQUEST, TriggerKind.MERGE_GROUP)
"""Whose jobs sit on the commit that would be merged (THREATS R22)."""

JOB_GATE = "The exit code of this job is the gate: require the job in a branch rule or a required workflow."
CHECK_GATE = "The gate is the check run `{}` on the reviewed commit."
ADVISORY = (
    "This review is advisory: this event gates by a check run on the reviewed commit, and none was written "
    "(give the job `checks: write`)."
)

_CONCLUSIONS = {
    Conclusion.PASS: "success",
    Conclusion.FAIL: "failure",
    Conclusion.INCOMPLETE: "action_required",
}


class CheckWriter(Protocol):
    """What of ``github_api.GitHub`` a check run needs."""

    def create_check_run(
        self,
        *,
        repository: str,
        name: str,
        head_sha: Sha,
        conclusion: str,
        output: Mapping[str, Any],
        details_url: str | None,
    ) -> int:
        """A finished check run; returns its number."""

    def edit_check_run(self, repository: str, check_run: int, output: Mapping[str, Any]) -> None:
        """Another title and summary, and more annotations."""


@dataclass(frozen=True, slots=True)
class CheckPosted:
    """A check run that was written; ``problems`` are sentences, empty where all of it was."""

    number: int
    problems: tuple[str, ...] = ()


def publish_check_run(
    review: Review,
    github: CheckWriter,
    repository: str,
    *,
    name: str = "reviewbot",
    details_url: str | None = None,
) -> CheckPosted | None:
    """Write the verdict as a check run on the reviewed commit: one request, and one more per 50 annotations.

    None where the token may not (403: there is no ``checks: write``). Raises other GitHubErrors where the
    check run itself was not written: whoever gates by it must know that there is none.
    """
    annotations = plan_annotations(review)
    said = {
        "title": one_line(f"{summary.conclusion(review)}: {summary.headline(review)}", 250),
        "summary": render_markdown(review),
    }
    text = render_check_text(review, len(annotations))
    try:
        number = github.create_check_run(
            repository=repository,
            name=name,
            head_sha=review.trigger.head_sha,
            conclusion=check_conclusion(review),
            output={**said, "text": text, "annotations": annotations[:PAGE]},
            details_url=details_url,
        )
    except GitHubDenied:
        return None
    try:
        for start in range(PAGE, len(annotations), PAGE):
            github.edit_check_run(
                repository, number, {**said, "annotations": annotations[start : start + PAGE]}
            )
    except GitHubError as error:
        return CheckPosted(number, (f"Annotations of the check run are missing: {error.sentences}",))
    return CheckPosted(number)


def check_conclusion(review: Review) -> str:
    """The verdict in GitHub's words: success, failure, neutral or action_required."""
    verdict = review.verdict
    if verdict.exit_code > 1:
        return "action_required"
    if verdict.conclusion is Conclusion.INCOMPLETE and verdict.exit_code == 0:
        return "neutral"
    return _CONCLUSIONS[verdict.conclusion]


def check_name(trigger: Trigger, *, is_scan: bool) -> str:
    """Only a whole pull request is judged as `reviewbot`: a part of it must not be taken for its gate."""
    if trigger.pull_number is not None:
        return "reviewbot"
    what = "scan" if is_scan else "push" if trigger.kind is TriggerKind.PUSH else "range"
    return f"reviewbot {what}"


def plan_annotations(review: Review) -> list[dict[str, str | int]]:
    """What blocks as failures, what is advisory as warnings, hints as notices; what blocks comes first."""
    groups = summary.group_findings(review)
    levels = ((groups.blocking, "failure"), (groups.advisory, "warning"), (groups.hints, "notice"))
    planned = (_annotation(finding, level) for findings, level in levels for finding in findings)
    return [each for each in planned if each is not None][:MOST_ANNOTATIONS]


def _annotation(finding: Finding, level: str) -> dict[str, str | int] | None:
    """In GitHub's words; None where it has no line in head, or a path that GitHub spells in its own way."""
    at = finding.location
    if at is None or at.side is Side.LEFT or terminal_text(at.path) != at.path or "\n" in at.path:
        return None
    said = sentences([finding.evidence.title, summary.explanation(finding), *summary.remarks(finding)])
    return {
        "path": at.path,
        "start_line": at.start_line,
        "end_line": at.end_line,
        "annotation_level": level,
        "title": terminal_text(one_line(f"{finding.severity.value}: {finding.rule}", 200)),
        "message": terminal_text(one_line(f"{said} Finding {finding.fingerprint}.", 4_000)),
    }


def render_check_text(review: Review, annotated: int) -> str:
    """The ledger, a line for each file while there is room; then how many findings have no annotation."""
    groups = summary.group_findings(review)
    left_out = len(groups.blocking) + len(groups.advisory) + len(groups.hints) - annotated
    tail = f"\n{summary.count(left_out, 'finding')} without an annotation.\n" if left_out else ""
    head = f"{markdown_ledger(review)}\n\n"
    return head + _fitting(review.coverage.files, TEXT_LIMIT - len(head) - len(tail) - 80) + tail


def _fitting(files: Sequence[CoverageRow], room: int) -> str:
    lines: list[str] = []
    for line in _ledger_lines(files):
        room -= len(line) + 1
        if room < 0:
            lines.append(f"- … and {len(files) - len(lines)} more files")
            break
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def _ledger_lines(files: Sequence[CoverageRow]) -> Iterator[str]:
    for row in files:
        why = ", ".join(row.by) if row.by else row.reason
        said = markdown_text(one_line(f"{row.status.value} ({why})" if why else row.status.value, 200))
        yield f"- {markdown_code(one_line(row.path, 240))} {said}"
