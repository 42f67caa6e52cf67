"""What the agents are given: the change and what is known of it, and the means to look at it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reviewbot.agents.batches.gathering import Batches
from reviewbot.agents.view.excerpts import mask_changes, mask_evidence
from reviewbot.claims import Claim
from reviewbot.core import ChangeSet, Evidence, Sha
from reviewbot.hooks import NO_HOOKS, Hooks
from reviewbot.secrets.masking import Masker
from reviewbot.spend.prices import LIST_PRICES, PriceList


@dataclass(frozen=True, slots=True)
class Brief:
    """A change and what the agents are told of it.

    ``excluded`` are paths that nobody has to read. ``instructions`` are (path, text) of the maintainers'
    notes. ``masker`` hides secrets from all that models are shown. ``only`` names the agents that are
    asked (empty: all). Without triage security reads every file; what nobody was asked to read is unread,
    what an earlier round read is ``settled``. ``earlier`` are claims of an earlier scan that still have
    their second look before them. ``still``: the tree has changed since, but for these files, so nothing
    is begun about others.
    """

    changes: ChangeSet
    evidence: Sequence[Evidence]
    excluded: Collection[str] = ()
    instructions: Sequence[tuple[str, str]] = ()
    masker: Masker = field(default_factory=Masker)
    only: Collection[str] = ()
    settled: Collection[str] = ()
    earlier: Sequence[Claim] = ()
    still: Collection[str] | None = None

    def masked(self, read_object: Callable[[Sha], bytes]) -> "Brief":
        """The same without secrets: what models may see."""
        return replace(
            self,
            changes=mask_changes(self.changes, self.masker, read_object),
            evidence=mask_evidence(self.evidence, self.masker),
            instructions=[(path, self.masker.mask_text(text)) for path, text in self.instructions],
        )


@dataclass(frozen=True, slots=True)
class Means:
    """What the agents may use.

    ``models`` gives a model id by agent or, where the agent is not in it, by tier; without either for
    ``verify`` there is no second look. ``fallbacks`` are models by tier, asked in their order where the
    agent's own cannot answer. ``prices`` are what the budget reckons with. ``batches`` ask in the place of
    the client. ``hooks`` look on.
    """

    budget_usd: float
    models: Mapping[str, str]
    prices: PriceList = LIST_PRICES
    fallbacks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    batches: Batches | None = None
    hooks: Hooks = NO_HOOKS
