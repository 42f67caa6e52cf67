"""The messages of one conversation: append-only, with marks that let the provider cache each prefix.

Blocks of the model go back exactly as they came (thinking is bound to its conversation). Marks are put
on copies when a request is made, so what an earlier request held stays the same, mark aside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

MAX_MARKS = 4
"""More in one request are refused by the API."""

CHARACTERS_A_TOKEN = 3
"""Of the newer tokenizer at worst, for code: an estimate may be too high, never too low."""

HIDDEN_TOKENS = 500
"""What the provider adds to a request by itself (the tools' and the format's own instructions), at most."""

Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a conversation begins: system blocks and the blocks of the first user turn, marks on them.

    The first ``material`` blocks of that turn are the change, the others say what to do with it.
    """

    system: tuple[Block, ...]
    user: tuple[Block, ...]
    material: int = 1


class History:
    """One conversation. ``marks_turns``: each request also marks its newest user turns.

    The newest two are marked as far as four marks allow: the last for the next request to read, the one
    before it because the provider looks back only 20 blocks from a mark.
    The first request is marked, too: that costs a quarter of it if the first answer ends the task, and
    saves all of it if not, so it pays where more than a fifth of the tasks use a tool.
    """

    def __init__(self, prompt: Prompt, tools: Sequence[Block], *, marks_turns: bool) -> None:
        self._turns: list[tuple[str, tuple[Block, ...]]] = [("user", prompt.user)]
        fixed = sum("cache_control" in block for block in (*tools, *prompt.system, *prompt.user))
        self._spare = max(0, min(2, MAX_MARKS - fixed)) if marks_turns else 0

    def append(self, role: str, blocks: Sequence[Block]) -> None:
        """Add a turn at the end."""
        self._turns.append((role, tuple(blocks)))

    def messages(self) -> list[dict[str, Any]]:
        """The messages of the next request."""
        users = [place for place, (role, _) in enumerate(self._turns) if role == "user"]
        marked = set(users[len(users) - self._spare :])
        return [
            {"role": role, "content": list(_with_mark(blocks) if place in marked else blocks)}
            for place, (role, blocks) in enumerate(self._turns)
        ]


def for_one_request(prompt: Prompt, text: str) -> Prompt:
    """The prompt with ``text`` as its last block, for a conversation that ends with its first answer.

    Writing to the cache costs a quarter more than sending, and here nobody would read what is the
    task's own: the last mark of the user turn goes.
    """
    marked = [place for place, block in enumerate(prompt.user) if "cache_control" in block]
    blocks = [
        {key: value for key, value in block.items() if key != "cache_control" or place not in marked[-1:]}
        for place, block in enumerate(prompt.user)
    ]
    return replace(prompt, user=(*blocks, {"type": "text", "text": text}))


def estimate_request_tokens(body: object) -> int:
    """Tokens of a request body, rather too many: the bytes of its texts and keys, and what is hidden."""
    return tokens_of(weigh(body)) + HIDDEN_TOKENS


def tokens_of(weight: int) -> int:
    """Tokens for so many bytes, rather too many."""
    return ceil(weight / CHARACTERS_A_TOKEN)


def weigh(value: object) -> int:
    """Bytes that a JSON value has for a tokenizer: its texts without the escapes of JSON."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass")) + 2
    if isinstance(value, Mapping):
        return sum(weigh(key) + weigh(item) for key, item in value.items()) + 2
    if isinstance(value, (list, tuple)):
        return sum(weigh(item) for item in value) + 2
    return len(str(value))


def _with_mark(blocks: Sequence[Block]) -> tuple[Block, ...]:
    *before, last = blocks
    return (*before, last if "cache_control" in last else {**last, "cache_control": {"type": "ephemeral"}})
