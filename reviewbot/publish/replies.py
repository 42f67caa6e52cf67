"""What is answered to a command. Pure: text that ends in a marker, so that no command is answered twice."""

from collections.abc import Iterable

from reviewbot.change.command import Command, Verb
from reviewbot.core import Finding, Review
from reviewbot.github.answers import CALLED, Conversation, OwnComment
from reviewbot.publish import summary
from reviewbot.publish.comment import render_link
from reviewbot.publish.costs import render_costs
from reviewbot.publish.markers import Scope, read_marker, reply_marker
from reviewbot.publish.sanitize import markdown_code, markdown_text, one_line
from reviewbot.publish.spending import read_spending, spending
from reviewbot.publish.threads import find_summary

MOST_ADVICE = 10
"""Explanations in one answer."""

_COMMANDS = (
    ("help", "this list"),
    ("review", "review this pull request again, also a draft"),
    ("review full", "the same, and nothing counts as read because it was read before"),
    ("security", "let the security agent read every changed file, whatever triage says"),
    ("tests", "let test_fix explain the failed tests; advice, the verdict stays"),
    ("budget", "what the last round spent, and what is left for the pull request"),
    ("explain FINDING", "where a finding stands and how it ends"),
    ("remember TEXT", "a note that the agents are shown as data; it changes no rule of the verdict"),
    ("dismiss FINDING REASON", "it blocks no more, and stands in the report as dismissed with your reason"),
)


def is_answered(comment_id: int, said: Iterable[OwnComment], scope: Scope, key: bytes | None) -> bool:
    """Whether a comment of ours, by an earlier run, answers the command in this comment."""
    read = (read_marker(own.body, scope, key) for own in said)
    return any(
        found is not None and found.kind == "reply" and found.fingerprint == f"{comment_id:016x}"
        for found in read
    )


def render_reply(text: str, comment_id: int, scope: Scope, key: bytes | None) -> str:
    """The text with its marker."""
    return f"{text}\n\n{reply_marker(comment_id, scope, key)}"


def render_help(command: Command) -> str:
    """Every command, after the sentence that says what was wrong with this one."""
    rows = [f"- {markdown_code(f'{CALLED} {what}')} {says}" for what, says in _COMMANDS]
    end = "A finding is named by the 16 hex digits below its comment. You need write access."
    return "\n".join([*([command.wrong, ""] if command.wrong else []), *rows, "", end])


def render_outcome(review: Review, command: Command) -> str:
    """What became of a review that somebody asked for."""
    if command.is_advice and review.trigger.head_sha and not review.verdict.exit_code > 1:
        return _render_advice(review)
    said = markdown_text(one_line(f"{summary.conclusion(review)}: {summary.headline(review)}", 600))
    head = review.trigger.head_sha[:12]
    return f"Reviewed {head}. {said}." if head else f"{said}."


def _render_advice(review: Review) -> str:
    """What test_fix says, the first findings of it, and that it decides nothing."""
    said = [finding for finding in review.findings if finding.evidence.tool == "test_fix"]
    failed = sum(item.source == "junit" for item in review.evidence)
    heard = any(outcome.task.agent == "test_fix" for outcome in review.outcomes)
    lines = [f"- {markdown_text(one_line(_told(finding), 600))}" for finding in said[:MOST_ADVICE]]
    if len(said) > MOST_ADVICE:
        lines.append(f"- … and {len(said) - MOST_ADVICE} more; they stand in the report of the run.")
    if not failed:
        lines = ["No failed test was handed in. Name the reports in the input `junit` of this workflow."]
    elif not heard:
        lines = ["No agent was asked. " + markdown_text(one_line(" ".join(review.notes), 400))]
    elif not said:
        stops = ", ".join(dict.fromkeys(outcome.detail for outcome in review.outcomes if outcome.detail))
        lines = [f"test_fix explains none of them. {markdown_text(one_line(stops, 300))}".strip()]
    head = f"{summary.count(failed, 'failed test')} at {review.trigger.head_sha[:12]}. {spending(review)}"
    return "\n".join([head.strip(), "", *lines, "", "This is advice: the verdict stays as it was."])


def _told(finding: Finding) -> str:
    at = finding.location
    place = f" ({at.path}:{at.start_line})" if at else ""
    return f"{finding.evidence.title}{place}. {summary.explanation(finding)}"


def render_remembered() -> str:
    """That a note is remembered, and how it ends."""
    again = markdown_code(f"{CALLED} review")
    return (
        "Remembered: from the next review of this pull request on the agents are shown your note as data. "
        f"It lowers no finding by itself. Re-run the job, or write {again}. "
        "Editing or deleting your comment takes it back."
    )


def render_remembered_for_scans() -> str:
    """That a note below the tracking issue is remembered, what it costs, and how it ends."""
    return (
        "Remembered: from the next scan of the default branch on the agents are shown your note as data. It "
        "lowers no finding by itself. What agents say depends on their notes, so that scan reads all files "
        "again. Editing or deleting your comment takes it back."
    )


def render_help_for_scans(command: Command) -> str:
    """What may be asked below the tracking issue, after what was wrong with this command."""
    wrong = command.wrong or ("" if command.verb is Verb.HELP else f"`{command.verb}` is for pull requests.")
    note = dict(_COMMANDS)["remember TEXT"]
    row = f"Here I know {markdown_code(f'{CALLED} remember TEXT')}: {note}. You need write access."
    return f"{wrong} {row}".strip()


def render_budget(conversation: Conversation, scope: Scope, key: bytes | None) -> str:
    """What the last round spent and what the next may spend, as our summary comment tells."""
    ours, last = find_summary(conversation, scope, key)
    if ours is None:
        return "No round of this pull request has a summary yet, so nothing is known to be spent."
    told, link = read_spending(ours.body), render_link("the summary", ours.url)
    total = f" {render_costs(last)}" if last is not None else ""
    if told is None:
        return f"The last round asked no model and spent nothing ({link}).{total}"
    spent, budget = told
    return (
        f"The last round spent {spent} of {budget} ({link}).{total} The next starts with the budget of its "
        "policy, or with what a cap leaves where that is less."
    )


def render_about_finding(
    command: Command, conversation: Conversation, scope: Scope, key: bytes | None, dismissed: str
) -> str:
    """Where a finding stands and how it ends, or that a dismissal is remembered.

    ``dismissed`` says who dismissed it, where somebody did.
    """
    name = markdown_code(command.finding)
    place = _place(command.finding, conversation, scope, key)
    if not place:
        return f"I know no open finding {name} here. Its name stands below its comment."
    if command.verb is Verb.DISMISS:
        again = markdown_code(f"{CALLED} review")
        return (
            f"Remembered: {name} is dismissed ({place}). It counts from the next review on: re-run the job, "
            f"or write {again}. Editing or deleting your comment takes it back."
        )
    way = markdown_code(f"{CALLED} dismiss {command.finding} REASON")
    said = markdown_text(one_line(dismissed, 400)) or f"It ends when its lines change, or by {way}."
    return f"Finding {name}: {place}. {said}"


def _place(finding: str, conversation: Conversation, scope: Scope, key: bytes | None) -> str:
    for own in reversed(conversation.inline):
        marker = read_marker(own.body, scope, key)
        if marker is not None and (marker.kind, marker.fingerprint) == ("finding", finding):
            thread = own.thread
            changed = ", whose lines changed since" if thread and thread.is_outdated else ""
            return render_link("its comment", own.url) + changed
    ours, last = find_summary(conversation, scope, key)
    if ours is not None and last is not None and finding in (last.open or ()):
        return "it stands in " + render_link("the summary", ours.url)
    return ""
