"""Tokens, cache and dollars of the scripted model: plain arithmetic that a test can do by hand.

A block counts ``ceil(n / 3)`` tokens, n being the UTF-8 bytes of all its keys and texts (``cache_control``
left out, nothing for punctuation); the first block of a message 4 more, the first tool 286 more (the
hidden tool prompt that the real API bills), an output format what its schema counts. This is no real
tokenizer: only the arithmetic is the API's. Caching follows Anthropic's prompt caching page: entries are
whole prefixes (tools, system, messages) that end at a mark, found from a mark by looking back over at
most 20 blocks, written from 512 tokens up, kept for 5 minutes or 1 hour after their last use. Effort,
thinking and output format belong to the prefix.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

TOOL_PROMPT_TOKENS = 286
MESSAGE_TOKENS = 4
MINIMUM_PREFIX_TOKENS = 512
LOOK_BACK_BLOCKS = 20
LIFETIME_SECONDS = {"5m": 300.0, "1h": 3_600.0}

PRICES = {
    "claude-haiku-5-5": (100, 125, 200, 10, 500),
    "claude-sonnet-5-5": (2_000, 2_500, 4_000, 100, 10_000),
    "claude-opus-5-5": (4_000, 5_000, 8_000, 200, 20_000),
}
"""Nano-dollars per token: input, cache write of 5 minutes and of 1 hour, cache read, output."""
HAIKU_BAND_TOKENS = 100_000
HAIKU_BAND_FACTOR = 5


@dataclass(frozen=True, slots=True)
class Charge:
    """Tokens of one answer, as its ``usage`` reports them. ``input`` is what no cache had to do with."""

    input: int
    write_5m: int
    write_1h: int
    read: int
    output: int
    thinking: int

    @property
    def prompt(self) -> int:
        """All tokens that were sent."""
        return self.input + self.write_5m + self.write_1h + self.read

    def usage(self) -> dict[str, Any]:
        """The ``usage`` object of the answer."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.write_5m + self.write_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.write_5m,
                "ephemeral_1h_input_tokens": self.write_1h,
            },
            "output_tokens": self.output,
            "output_tokens_details": {"thinking_tokens": self.thinking},
            "service_tier": "standard",
        }

    def nano_usd(self, model: str) -> int:
        """The price in nano-dollars. Haiku's dear band counts for the whole request once it is reached."""
        amounts = (self.input, self.write_5m, self.write_1h, self.read, self.output)
        price = sum(tokens * each for tokens, each in zip(amounts, PRICES[model], strict=True))
        is_dear = model.startswith("claude-haiku") and self.prompt > HAIKU_BAND_TOKENS
        return price * (HAIKU_BAND_FACTOR if is_dear else 1)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a prompt, in the order of the cache; ``mark`` is the lifetime a cache mark asks for."""

    digest: bytes
    tokens: int
    mark: str | None


def compact(value: object) -> bytes:
    """JSON without spaces, keys in the order they came: the bytes that are counted and compared."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def count_tokens(value: object) -> int:
    """Tokens of one JSON value: a third of the bytes of its texts, keys and numbers, rounded up."""
    return -(-_weigh(value) // 3)


def _weigh(value: object) -> int:
    if isinstance(value, dict):
        return sum(_weigh(key) + _weigh(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(_weigh(item) for item in value)
    return len(str(value).encode("utf-8", "surrogatepass"))


def without_mark(block: Json) -> dict[str, Any]:
    """A block as it is compared: no cache mark, and no key whose value is null."""
    return {key: value for key, value in block.items() if key != "cache_control" and value is not None}


def content_blocks(content: Any) -> list[Json]:
    """The blocks of a message or a system prompt; a plain string is one text block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


@dataclass(frozen=True, slots=True)
class Part:
    """What stands at one place of a prompt. What is no block (settings, format) is joined to the next."""

    value: tuple[Any, ...]
    tokens: int
    mark: Json | None = None
    is_block: bool = True


def lay_out(body: Json) -> tuple[Block, ...]:
    """The blocks of a valid request, tools first, then system, then messages."""
    parts = list(_parts(body))
    chain = hashlib.sha256(compact(body["model"])).digest()
    blocks, pending = [], 0
    for number, part in enumerate(parts, start=1):
        chain = hashlib.sha256(chain + compact(part.value)).digest()
        pending += part.tokens
        if part.is_block:
            mark = body.get("cache_control") if number == len(parts) and not part.mark else part.mark
            blocks.append(Block(chain, pending, (mark.get("ttl") or "5m") if mark else None))
            pending = 0
    return tuple(blocks)


def _parts(body: Json) -> Iterator[Part]:
    config = body.get("output_config") or {}
    for number, tool in enumerate(body.get("tools") or ()):
        bare = without_mark(tool)
        extra = 0 if number else TOOL_PROMPT_TOKENS
        yield Part(("tool", bare), count_tokens(bare) + extra, tool.get("cache_control"))
    if config.get("format"):
        yield Part(("format", config["format"]), count_tokens(config["format"]), is_block=False)
    for block in content_blocks(body.get("system")):
        bare = without_mark(block)
        yield Part(("system", bare), count_tokens(bare), block.get("cache_control"))
    yield Part(("settings", config.get("effort"), body.get("thinking")), 0, is_block=False)
    for message in body["messages"]:
        for number, block in enumerate(content_blocks(message["content"])):
            bare = without_mark(block)
            extra = 0 if number else MESSAGE_TOKENS
            place = (message["role"], number, bare)
            yield Part(place, count_tokens(bare) + extra, block.get("cache_control"))


@dataclass(slots=True)
class Entry:
    """A cached prefix: until when it lives, and for how long each use renews it."""

    expires: float
    lifetime: float


@dataclass(slots=True)
class PromptCache:
    """The prefixes that are cached. Not thread-safe: the server holds a lock around it."""

    entries: dict[bytes, Entry] = field(default_factory=dict)

    def look_up(self, blocks: Sequence[Block], now: float) -> tuple[int, int, int, int]:
        """Tokens (input, write_5m, write_1h, read) of a prompt. What is found lives on from ``now``."""
        totals = _running_totals(blocks)
        read_to = self._find(blocks, totals, now)
        read = totals[read_to]
        ends = {"5m": read_to, "1h": read_to}
        for end, block in enumerate(blocks, start=1):
            if block.mark and end > read_to and totals[end] >= MINIMUM_PREFIX_TOKENS:
                ends[block.mark] = end
        # Marks of an hour stand before those of 5 minutes: checks.py refuses the other order.
        write_1h = totals[ends["1h"]] - read
        write_5m = max(0, totals[ends["5m"]] - totals[ends["1h"]])
        return totals[-1] - read - write_5m - write_1h, write_5m, write_1h, read

    def store(self, blocks: Sequence[Block], now: float) -> None:
        """Keep the prefixes that end at a mark. Called once the answer starts, not when a request comes."""
        totals = _running_totals(blocks)
        for end, block in enumerate(blocks, start=1):
            if block.mark and totals[end] >= MINIMUM_PREFIX_TOKENS:
                lifetime = LIFETIME_SECONDS[block.mark]
                self.entries[block.digest] = Entry(now + lifetime, lifetime)

    def _find(self, blocks: Sequence[Block], totals: Sequence[int], now: float) -> int:
        """How many blocks of the prompt are in the cache."""
        marks = [end for end, block in enumerate(blocks, start=1) if block.mark]
        for mark in reversed(marks):
            for end in range(mark, max(0, mark - LOOK_BACK_BLOCKS), -1):
                entry = self.entries.get(blocks[end - 1].digest)
                if entry and entry.expires > now:
                    entry.expires = now + entry.lifetime
                    return end
        return 0


def _running_totals(blocks: Sequence[Block]) -> list[int]:
    totals = [0]
    for block in blocks:
        totals.append(totals[-1] + block.tokens)
    return totals
