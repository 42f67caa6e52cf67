"""What a reader is told about tasks that did not end as ``done``: one reason for each kind of end."""

from collections.abc import Iterable, Mapping, Sequence

from reviewbot.agents.conversation.run import Run
from reviewbot.claims import Outcome, Stop
from reviewbot.core import Reason

_CODES = {
    Stop.USD: "budget",
    Stop.STEPS: "steps",
    Stop.TOKENS: "tokens",
    Stop.SECONDS: "seconds",
    Stop.CONTEXT: "context",
    Stop.REFUSED: "refused",
    Stop.INVALID: "invalid_answer",
}
_OF_PROVIDER = (
    "rate_limit",
    "bad_credentials",
    "unknown_model",
    "spend_limit",
    "no_batches",
    "batch_pending",
    "outdated",
)
_REMEDIES = {
    "budget": "Raise `budget-usd`, or split the change.",
    "refused": "A person has to read these files; text in the change may have caused it.",
    "invalid_answer": "Run it again; if it stays, report it with journal.jsonl.",
    "context": "Split the change.",
    "steps": "Run it again, or split the change.",
    "tokens": "Run it again, or split the change.",
    "seconds": "Run it again; the provider may be slow.",
    "provider_outage": "Run it again later.",
    "rate_limit": "Run it again later, or raise the account's rate limit with the provider.",
    "bad_credentials": "Check the API key.",
    "unknown_model": "Name a model that this key may use.",
    "no_batches": "Ask live with --no-batch.",
    "batch_pending": "Run the scan again later, or give it more time with --max-wait.",
    "outdated": "The scan of the newer commit reads them.",
    "spend_limit": "Raise the spend limit of the account with the provider.",
}


_SHORT = {
    "budget": "the budget was used up",
    "steps": "no answer came within the steps of a task",
    "tokens": "the answer was cut at its longest",
    "seconds": "the time of a task was used up",
    "context": "it did not fit the model's context",
    "refused": "the model refused it",
    "invalid_answer": "the answer was not of the form that is asked for",
    "provider_outage": "the provider did not answer",
    "rate_limit": "the account's rate limit was reached",
    "bad_credentials": "the provider refused the credentials",
    "unknown_model": "the provider does not have the model",
    "no_batches": "the provider takes no batches",
    "batch_pending": "its batch had not ended",
    "outdated": "it changed before it was asked about",
    "spend_limit": "the account's spend limit was reached",
}


def stop_code(stop: Stop, error_code: str) -> str:
    """The reason code of an end other than ``done``."""
    if stop is Stop.UNAVAILABLE:
        return error_code if error_code in _OF_PROVIDER else "provider_outage"
    return _CODES[stop]


def explain_stop(agent: str, run: Run) -> str:
    """One sentence about a task that did not end as ``done``."""
    code = stop_code(run.stop, run.error_code)
    return run.detail or f"{agent} ended early ({code})."


def explain_gaps(ends: Iterable[tuple[Outcome, str]], failed: Mapping[str, str]) -> tuple[Reason, ...]:
    """A reason for each code, over the tasks whose end left something unread.

    A triage batch whose files were all read after all (asked again, or by the security agent) left
    nothing; test_fix is about failures and leaves them unexplained; a claim that verify did not get to
    stays as it was, which is told in a note.
    """
    kinds: dict[str, list[Outcome]] = {}
    for outcome, error_code in ends:
        agent, paths = outcome.task.agent, outcome.task.paths
        is_gap = agent in ("security", "test_fix") or (agent == "triage" and any(p in failed for p in paths))
        # A task whose batch is under way is finished by the next run, whatever it is about.
        is_gap = is_gap or error_code == "batch_pending"
        if outcome.stop is not Stop.DONE and is_gap:
            kinds.setdefault(stop_code(outcome.stop, error_code), []).append(outcome)
    return tuple(Reason(code, _sentence(code, outcomes, failed)) for code, outcomes in kinds.items())


def _sentence(code: str, outcomes: list[Outcome], failed: Mapping[str, str]) -> str:
    agents = " and ".join(dict.fromkeys(outcome.task.agent for outcome in outcomes))
    readers = [outcome for outcome in outcomes if outcome.task.agent != "test_fix"]
    unread = {path for outcome in readers for path in outcome.task.paths if path in failed}
    tests = {name for outcome in outcomes for name in outcome.task.evidence_ids}
    left = (
        [f"{len(unread)} {'file was' if len(unread) == 1 else 'files were'} not reviewed"] if unread else []
    )
    left += (
        [f"{len(tests)} failed {'test was' if len(tests) == 1 else 'tests were'} not explained"]
        if tests
        else []
    )
    what = " and ".join(left) or "its task was not finished"
    why = "The budget was used up." if code == "budget" else outcomes[-1].detail
    stop = "" if why.endswith((".", "!", "?")) else "."
    return f"{agents}: {what}. {why}{stop} {_REMEDIES[code]}"


def short_reason(code: str) -> str:
    """Why a file was not read, in words that are the same for every file and every run."""
    return _SHORT[code]


def withheld_note(paths: Sequence[str]) -> str:
    """A sentence that names files no model was shown."""
    names = ", ".join(ascii(path)[1:-1] for path in paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return f"Key material is never shown to a model; programs alone read {names}{more}."
