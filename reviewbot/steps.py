"""What a review and a scan do alike: the run so far, evidence, and an end that is always a verdict."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from reviewbot import __version__
from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import read_settings
from reviewbot.claims import Claim
from reviewbot.core import ChangeSet, Conclusion, Finding, GateRules, Outcome, Review, Trigger
from reviewbot.engine import Engine, choose_engine
from reviewbot.errors import Interrupted, NoReview, RepositoryError, ReviewbotError, own_fault
from reviewbot.evidence.collect import Collected, collect_evidence, read_handed_in, tell_unread
from reviewbot.evidence.held import make_masker
from reviewbot.journal import VERSION, Journal
from reviewbot.request import BatchOptions, Request
from reviewbot.secrets.masking import Masker
from reviewbot.settings import Settings
from reviewbot.signals import Terminated
from reviewbot.spend.purse import Purse
from reviewbot.templates import digest_templates
from reviewbot.verdict.before import ReadBefore, digest_terms, files_read_before
from reviewbot.verdict.coverage import Readers
from reviewbot.verdict.failed import failed_review
from reviewbot.verdict.gate import blocks
from reviewbot.verdict.known import defer, is_deferrable
from reviewbot.verdict.withholding import withhold

if TYPE_CHECKING:
    from reviewbot.agents.api.claude import Claude
    from reviewbot.agents.batches.gathering import Batches
    from reviewbot.agents.batches.ledger import BatchLedger
    from reviewbot.agents.brief import Means
    from reviewbot.agents.results import AgentsReview, Watch

Step = Callable[[str], AbstractContextManager[None]]
"""Wraps a part of the work that may take long, with words for it."""

LEFT_TO_THE_NEXT_RUN = frozenset({"batch_pending", "provider_outage", "no_review", "bad_arguments"})
"""Reasons of a run that did not get all answers, or could not keep what it made of them."""

Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run was told to do and by whom it is done; ``notes`` name the policy."""

    settings: Settings
    notes: tuple[str, ...]
    engine: Engine


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a full journal holds of an earlier run.

    ``agents`` are what they said, by the commit or tree that they read: a fix is read after the change.
    """

    settled: Settled
    collected: Collected
    agents: Mapping[str, "AgentsReview"]


@dataclass(frozen=True, slots=True)
class Run:
    """The half of a review that is known once the change set is; ``spent`` are the agents' tasks so far,
    ``waited`` the seconds for which batches were waited for, ``batch_keys`` what was asked in them.

    ``purse`` is what models may cost in it.
    ``recorded`` takes the place of what programs and models would say.
    """

    request: Request
    repository: Repository
    trigger: Trigger
    changes: ChangeSet
    journal: Journal
    step: Step
    spent: list[Outcome] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    batch_keys: set[str] = field(default_factory=set)
    purse: Purse = field(default_factory=Purse)
    recorded: Recorded | None = None


def judge_safely(run: Run, judge: Callable[[], Judged], failed: Callable[[Review], Judged]) -> Judged:
    """What ``judge`` makes of the run, or ``failed`` of the review that says why it could not."""
    try:
        return judge()
    except ReviewbotError as problem:
        error = problem
    except Terminated as stop:  # the reports must say so before the process ends
        interrupted = Interrupted("The review was interrupted.")
        stop.review = failed_review(run.trigger, interrupted, run.changes, run.spent)
        raise
    except Exception as problem:  # a fault of ours must end in a verdict, never in a pass
        error = own_fault(problem)
    run.journal.write("review_failed", error=type(error).__name__, detail=ascii(str(error))[1:-1])
    masker = make_masker(run.request, run.changes, run.repository.read_object)
    review = failed_review(run.trigger, error, run.changes, run.spent)
    review = replace(review, caps=run.purse.caps, charged_usd=run.purse.charged_usd)
    return failed(withhold(review, masker))


def settle(run: Run) -> Settled:
    """The settings at the policy commit, and the engine they lead to.

    Raises:
        ReviewbotError: the policy, an argument or the credentials are not as they should be.
    """
    if run.recorded:
        return run.recorded.settled
    request = run.request
    settings, notes = read_settings(run.repository, run.trigger.policy_sha, request.asked)
    engine = choose_engine(settings.engine, request.environment, secrets_possible=request.secrets_possible)
    settled = Settled(settings, tuple(notes), engine)
    run.journal.write_full("settled", version=VERSION, trigger=run.trigger, settled=settled)
    return settled


def collect(run: Run, settings: Settings, excluded: Mapping[str, str], *, is_scan: bool) -> Collected:
    """The evidence that was handed in, and what the analyzers say."""
    if run.recorded:
        return run.recorded.collected
    request, repository, changes = run.request, run.repository, run.changes
    with run.step("reading the evidence"):
        roots = (repository.work_tree, request.environment.get("GITHUB_WORKSPACE"))
        handed_in = read_handed_in(
            request.sarif,
            request.junit,
            lambda: repository.tree_paths(changes.head_sha),
            [str(root) for root in roots if root],
            request.logs,
            request.jobs,
            tests_block=settings.fail_on_tests,
        )
        handed_in = tell_unread(handed_in, request.jobs.unread, is_needed=settings.fail_on_tests)
    with run.step("running the analyzers"):
        collected = collect_evidence(
            repository, changes, handed_in, analyzers=settings.analyzers, excluded=excluded, is_scan=is_scan
        )
    for call in collected.runs:
        run.journal.write("analyzer_ran", **asdict(call))
    run.journal.write_full("collected", collected=collected)
    return collected


def ask_agents(  # noqa: PLR0917 - what the agents may know, each named
    run: Run,
    settings: Settings,
    collected: Collected,
    unread: Collection[str],
    masker: Masker,
    instructions: Sequence[tuple[str, str]],
    settled: Collection[str] = (),
    watch: "Watch | None" = None,
    earlier: Sequence[Claim] = (),
    still: Collection[str] | None = None,
) -> "AgentsReview":
    """What the agents say of the files that are not in ``unread``; what they cost is noted on the run.

    ``settled`` were read in an earlier round. ``watch`` is told what is finished as it comes. ``earlier``
    are claims of an earlier scan that still have their second look before them. ``still``: the tree has
    changed since the run that this one goes on with began, but for these files.
    """
    if run.recorded:
        if run.changes.head_sha not in run.recorded.agents:
            raise NoReview("The journal does not hold what the agents said of this code.")
        return run.recorded.agents[run.changes.head_sha]
    from reviewbot.agents.api.claude import connect  # noqa: PLC0415 - anthropic costs 1.6 s of CPU
    from reviewbot.agents.brief import Brief  # noqa: PLC0415 - as above
    from reviewbot.agents.subagents import review_with_agents  # noqa: PLC0415

    with ExitStack() as stack, run.step("asking the model agents"):
        provider = run.journal.telemetry.tracer_provider
        claude = connect(run.request.environment, tracer_provider=provider)
        draw = stack.enter_context(run.purse.opened(run.request, run.trigger, settings))
        brief = Brief(
            changes=run.changes,
            evidence=collected.evidence,
            excluded=unread,
            instructions=instructions,
            masker=masker,
            only=run.request.agents,
            settled=settled,
            earlier=earlier,
            still=still,
        )
        means = _means(run, settings, draw.usd, _open_batches(run, claude, settings, stack))
        agents = review_with_agents(brief, means, run.repository, claude, run.journal, watch=watch)
        draw.settle(agents.charged_usd)
    agents = replace(agents, gaps=draw.explain(agents.gaps))
    run.spent.extend(agents.outcomes)
    run.journal.write_full("agents_said", head=run.changes.head_sha, agents=agents)
    return agents


def _means(run: Run, settings: Settings, budget_usd: float, batches: "Batches | None") -> "Means":
    from reviewbot.agents.brief import Means  # noqa: PLC0415 - as above
    from reviewbot.spend.prices import own_prices  # noqa: PLC0415

    return Means(
        budget_usd=budget_usd,
        models=settings.models,
        prices=own_prices(settings.prices),
        fallbacks={each.tier: each.models for each in settings.fallback_models},
        batches=batches,
        hooks=run.request.hooks,
    )


def terms_of(settings: Settings, instructions: Sequence[tuple[str, str]]) -> str:
    """A digest of what the agents are told beyond the change: models, notes, prompts, and our version."""
    models = (text for pair in sorted(settings.models.items()) for text in pair)
    notes = (text for pair in instructions for text in pair)
    return digest_terms((__version__, digest_templates(), *models, "notes", *notes))


def read_before(run: Run, collected: Collected, terms: str) -> Mapping[str, ReadBefore]:
    """The files that an earlier round read as they are, unless everything is to be read."""
    last, named = run.request.last, {each.location.path for each in collected.evidence if each.location}
    if run.request.full or last is None or not terms:
        return {}
    trees = {run.repository.resolve(sha, "tree") for sha in (last.head_sha, run.changes.head_sha)}
    same_tree = len(trees) == 1 and None not in trees
    return files_read_before(
        last, run.request.state_key, run.changes, terms, named=named, same_tree=same_tree
    )


def defer_low(run: Run, findings: tuple[Finding, ...], rules: GateRules) -> tuple[Finding, ...]:
    """The findings; what is low and new on lines that the last round read is deferred, if known."""
    last, repository = run.request.last, run.repository
    if last is None or last.open is None or run.request.full:
        return findings
    blocking = frozenset(finding.fingerprint for finding in findings if blocks(finding, rules))
    if not any(is_deferrable(finding, last.open, blocking) for finding in findings):
        return findings
    try:
        if not repository.has(last.head_sha):
            return findings
        since = load_change_set(repository, last.head_sha, run.changes.head_sha)
    except RepositoryError:
        return findings
    return defer(findings, last.open, blocking, since)


def _open_batches(run: Run, claude: "Claude", settings: Settings, stack: ExitStack) -> "Batches | None":
    """What asks in batches, where the request wants that. Raises StateError."""
    options = run.request.batches
    if options is None:
        return None
    from reviewbot.agents.batches.gathering import Batches  # noqa: PLC0415
    from reviewbot.spend.prices import own_prices  # noqa: PLC0415

    ledger = stack.enter_context(_open_ledger(options, run.trigger))
    prices = own_prices(settings.prices)
    left = max(0.0, options.wait_seconds - sum(run.waited))
    batches = Batches(claude, ledger, left, run.step, run.journal, prices, begins=options.begins)
    stack.callback(lambda: run.waited.append(batches.waited_seconds))
    stack.callback(lambda: run.batch_keys.update(batches.keys))
    return batches


def conclude_batches(request: Request, review: Review) -> None:
    """Forget what was asked in batches, unless the next run has to go on from there. Raises StateError.

    What a scan has read is kept elsewhere by now; another full scan pays anew.
    """
    options = request.batches
    is_left = {reason.code for reason in review.verdict.reasons} & LEFT_TO_THE_NEXT_RUN
    was_asked = review.outcomes or review.verdict.conclusion is not Conclusion.INCOMPLETE
    if options is None or options.state is None or is_left or not was_asked:
        return
    with _open_ledger(options, review.trigger) as ledger:
        ledger.clear()


def _open_ledger(options: BatchOptions, trigger: Trigger) -> "BatchLedger":
    from reviewbot.agents.batches.ledger import FILE_NAME, PART_NAME, BatchLedger  # noqa: PLC0415 - as above

    name = PART_NAME if options.is_part else FILE_NAME
    return BatchLedger(options.state, trigger.repository, options.key, name)


def leaves_readings(request: Request, agents: "AgentsReview | None") -> bool:
    """Whether the next round may rest on what was read: a scan has a baseline and no rounds, and what a
    fallback model has read the agents' own has not.
    """
    return not request.is_scan and not (agents and agents.by_fallback)


def readers_of(agents: "AgentsReview", before: Mapping[str, ReadBefore] = MappingProxyType({})) -> Readers:
    """The ledger's view of what the agents did."""
    return Readers(
        agents.reviewed, agents.triaged, agents.failed, agents.causes, frozenset(agents.withheld), before
    )
