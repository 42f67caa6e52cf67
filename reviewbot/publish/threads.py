"""Which comments of a conversation are ours: the summary, what stands, and what is to be hidden.

A comment whose finding is gone is answered and hidden as outdated, and its thread resolved where the token
can. A thread that somebody else answered
and nobody resolved is left alone: it is theirs now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reviewbot.change.command import Rights, read_dismissals
from reviewbot.change.notes import OncePerPerson, read_notes
from reviewbot.change.targets import Target
from reviewbot.core import Review
from reviewbot.earlier import Round, parse_round
from reviewbot.github.answers import Conversation, OwnComment
from reviewbot.publish.markers import Marker, Scope, gone_marker, read_marker
from reviewbot.publish.memory import forgotten_note, is_complete
from reviewbot.publish.sanitize import markdown_text, one_line
from reviewbot.request import Request

RESOLVED = "r"
"""The names of the parts that resolve a thread begin so. GitHub allows that only with `contents: write`,
which no review needs, so a refusal is no problem."""

_NOTHING = "clientMutationId"

MOST_RETIRED = 25
"""Comments that one run hides; each takes up to three writes, of which GitHub takes 80 a minute."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """A comment to minimise as outdated; ``answer`` is said below it first, unless it is empty.

    Its thread is resolved, too, unless it is.
    """

    comment_id: str
    thread_id: str
    answer: str
    resolved: bool = False


def standing(conversation: Conversation, scope: Scope, key: bytes | None) -> frozenset[str]:
    """The fingerprints with a comment of ours, but for those that we hid: if they come back, they are new."""
    found = ((own, read_marker(own.body, scope, key)) for own in conversation.inline)
    return frozenset(
        marker.fingerprint
        for own, marker in found
        if marker
        and marker.kind == "finding"
        and not (own.is_minimized and _answered(own, marker, scope, key))
    )


def find_summary(
    conversation: Conversation, scope: Scope, key: bytes | None
) -> tuple[OwnComment | None, Round | None]:
    """Our one summary on a pull request, and the round it tells of."""
    for own in conversation.summary_candidates:
        marker = read_marker(own.body, scope, key)
        if marker is not None and marker.kind == "summary":
            return own, parse_round(marker.data) if marker.data else None
    return None, None


def last_round(target: Target, key: bytes | None) -> Round | None:
    """What the last round left on the pull request; signed by us where there is a ``key``."""
    said = target.history
    if said is None:
        return None
    return find_summary(said, Scope(target.trigger.repository, said.pull.number), key)[1]


def with_memory(
    request: Request, target: Target, rights: Rights, key: bytes | None
) -> tuple[Request, tuple[str, ...]]:
    """The request with what people dismissed and told and what an earlier round left, signed with ``key``.

    And sentences about these. One request for each person who dismissed or told something.
    """
    trigger, last = target.trigger, last_round(target, key)
    rights = OncePerPerson(rights)
    dismissed, ignored = read_dismissals(rights, trigger.repository, target.calls)
    told, left_out = read_notes(rights, trigger.repository, target.calls)
    request, notes = replace(request, dismissed=dismissed, told=told), (target.note, *ignored, *left_out)
    return replace(request, last=last, state_key=key), (*notes, *forgotten_note(last if key else None))


def plan_retirements(
    review: Review, conversation: Conversation, scope: Scope, key: bytes | None
) -> tuple[Retirement, ...]:
    """The comments whose finding is gone or dismissed, oldest first.

    Where not all was read nothing is gone. What a model said and did not say again is gone only where
    GitHub says that its lines are.
    """
    return tuple(_retirements(review, conversation, scope, key))


def _retirements(
    review: Review, conversation: Conversation, scope: Scope, key: bytes | None
) -> Iterator[Retirement]:
    present = {finding.fingerprint for finding in review.findings}
    dismissed = {each.fingerprint: each.note for each in review.findings if each.status == "dismissed"}
    complete = is_complete(review)
    for own in conversation.inline:
        marker, thread = read_marker(own.body, scope, key), own.thread
        if marker is None or marker.kind != "finding" or thread is None or own.is_minimized:
            continue
        name, is_gone = marker.fingerprint, complete and (thread.is_outdated or not marker.by_agent)
        if thread.left_open or (name not in dismissed and (name in present or not is_gone)):
            continue
        told = _answered(own, marker, scope, key)
        answer = "" if told else _answer(review, name, dismissed.get(name), scope, key)
        yield Retirement(own.node_id, thread.node_id, answer, thread.is_resolved)


def _answered(own: OwnComment, marker: Marker, scope: Scope, key: bytes | None) -> bool:
    read = (read_marker(body, scope, key) for body in own.thread.answers) if own.thread else ()
    return any(
        found is not None and found.kind == "gone" and found.fingerprint == marker.fingerprint
        for found in read
    )


def _answer(review: Review, fingerprint: str, dismissal: str | None, scope: Scope, key: bytes | None) -> str:
    if dismissal is None:
        said = f"This is gone from here as of {review.trigger.head_sha[:12]}."
    else:
        said = markdown_text(one_line(dismissal, 400)) or "This is dismissed."
    return f"{said}\n\n{gone_marker(fingerprint, scope, key)}"


def render_retirements(retirements: Sequence[Retirement]) -> tuple[str, dict[str, str]]:
    """One mutation for all of them, in order, and its variables; each part may fail alone."""
    declared: list[str] = []
    parts: list[str] = []
    variables: dict[str, str] = {}
    for n, each in enumerate(retirements):
        if each.answer or not each.resolved:
            declared.append(f"$t{n}: ID!")
            variables[f"t{n}"] = each.thread_id
        if each.answer:
            declared.append(f"$b{n}: String!")
            variables[f"b{n}"] = each.answer
            said = f"input: {{pullRequestReviewThreadId: $t{n}, body: $b{n}}}"
            parts.append(f"a{n}: addPullRequestReviewThreadReply({said}) {{ comment {{ id }} }}")
        declared.append(f"$c{n}: ID!")
        variables[f"c{n}"] = each.comment_id
        said = f"input: {{subjectId: $c{n}, classifier: OUTDATED}}"
        parts.append(f"m{n}: minimizeComment({said}) {{ minimizedComment {{ isMinimized }} }}")
        if not each.resolved:
            parts.append(f"{RESOLVED}{n}: resolveReviewThread(input: {{threadId: $t{n}}}) {{ {_NOTHING} }}")
    return f"mutation ({', '.join(declared)}) {{ {' '.join(parts)} }}", variables
