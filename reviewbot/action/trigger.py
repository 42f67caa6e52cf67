"""What an event itself says of the run, so that the report of any end of it can name that. Pure."""

from dataclasses import replace

from reviewbot.change.github_events import (
    CommentEvent,
    Event,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    WorkflowRunEvent,
)
from reviewbot.core import Trigger, TriggerKind


def trigger_of(trigger: Trigger, event: Event) -> Trigger:
    """The trigger with what the event says: repository, actor, head, pull request."""
    trigger = replace(trigger, repository=event.repository, actor=event.actor)
    if isinstance(event, PullRequestEvent):
        return replace(
            trigger,
            kind=TriggerKind.PULL_REQUEST,
            head_sha=event.head_sha,
            pull_number=event.number,
            is_fork=event.is_fork,
        )
    if isinstance(event, CommentEvent):
        return replace(trigger, pull_number=event.number)
    if isinstance(event, MergeGroupEvent | WorkflowRunEvent):
        return replace(trigger, head_sha=event.head_sha)
    return replace(trigger, head_sha=event.after) if isinstance(event, PushEvent) else trigger
