"""How many tokens the requests of one conversation hold: estimated, and counted once where that decides."""

from typing import Protocol

from reviewbot.agents.api.claude import Ask
from reviewbot.agents.api.failures import ModelError
from reviewbot.agents.conversation.history import estimate_request_tokens, tokens_of, weigh
from reviewbot.journal import Journal

FEWEST_SHARE = 4
"""A request holds at least this part of its estimate (12 bytes a token): no count is believed below it."""

SLACK_SHARE = 50
"""This part of a count is added to it: the provider calls it an estimate, off by a little."""


class Counter(Protocol):
    """What is needed of ``claude.Claude``."""

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request, free of charge; raises ModelError."""


class PromptSize:
    """Upper estimates of prompts: by their bytes, by what is known of an earlier one, by a count."""

    def __init__(self, agent: str, claude: Counter, journal: Journal) -> None:
        self._agent = agent
        self._claude = claude
        self._journal = journal
        self._answered: tuple[int, int] | None = None
        self._counted: tuple[int, int] | None = None
        self._has_asked = False

    def note(self, ask: Ask, tokens: int) -> None:
        """Remember what an answer said of its own prompt."""
        self._answered = (tokens, weigh(ask.messages))

    def estimate(self, ask: Ask) -> int:
        """Prompt tokens of the next request, rather too many."""
        weight = weigh(ask.messages)
        known = [each for each in (self._answered, self._counted) if each is not None]
        grown = [tokens + tokens_of(weight - before) for tokens, before in known]
        return min(grown if self._answered else [estimate_request_tokens(ask.body()), *grown])

    def fewest(self, tokens: int) -> int:
        """The least that a count may make of an estimate; the estimate itself once a count was asked for."""
        if self._has_asked:
            return tokens
        sure = self._answered[0] if self._answered else 0
        return sure + (tokens - sure) // FEWEST_SHARE

    async def count(self, ask: Ask) -> int:
        """The same as ``estimate``, after the provider was asked; at most once in a conversation."""
        estimated = self.estimate(ask)
        if self._has_asked:
            return estimated
        fewest = self.fewest(estimated)
        self._has_asked = True
        try:
            counted = await self._claude.count(ask)
        except ModelError as error:
            self._journal.write("tokens_counted", agent=self._agent, estimated=estimated, error=error.code)
            return estimated
        self._journal.write("tokens_counted", agent=self._agent, estimated=estimated, counted=counted)
        believed = max(counted + counted // SLACK_SHARE, fewest)
        self._counted = (believed, weigh(ask.messages))
        return self.estimate(ask)
