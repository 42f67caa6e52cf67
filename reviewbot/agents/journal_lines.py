"""What the journal says of the agents' work: where each file went, and how each task ended."""

from collections.abc import Mapping

from reviewbot.agents.results import Ended
from reviewbot.agents.routes import Routes
from reviewbot.agents.tasks import Entry
from reviewbot.journal import Journal
from reviewbot.text import visible_line


def record_routes(journal: Journal, routes: Routes, entries: Mapping[str, Entry]) -> None:
    """One line for each file that triage and the floor have decided about."""
    for path in (*routes.why, *routes.triaged):
        journal.write(
            "routed",
            path=visible_line(path),
            to="security" if path in routes.why else "nobody",
            risk=entries[path].risk if path in entries else "",
            signals=list(routes.signals.get(path, ())),
        )


def record_end(journal: Journal, end: Ended) -> None:
    """One line for a task that ended."""
    outcome = end.outcome
    journal.write(
        "task_ended",
        agent=outcome.task.agent,
        stop=outcome.stop.value,
        error=end.error_code,
        files=len(outcome.task.paths),
        claims=len(outcome.claims),
        turns=outcome.turns,
        usd=outcome.usd,
    )
