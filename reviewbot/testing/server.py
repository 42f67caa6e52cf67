"""The scripted model's server: the Messages API on a port of this machine, with a mind that is a program."""

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeVar

from reviewbot.testing.accounting import PRICES, Block, Charge, PromptCache, compact, lay_out
from reviewbot.testing.batches import Batches
from reviewbot.testing.behaviours import BEHAVIOURS, Behaviour
from reviewbot.testing.checks import Key, Refused, Rules, bare_messages, check_history, check_request
from reviewbot.testing.clearing import check_editing, edit_request
from reviewbot.testing.exchange import Served
from reviewbot.testing.faults import FAULTS, Fault, Faults, find_fault
from reviewbot.testing.federation import Federation
from reviewbot.testing.http_handler import Handler
from reviewbot.testing.limits import RateLimit
from reviewbot.testing.wire import Answer, build_answer, render_message

Json = Mapping[str, Any]
Named = TypeVar("Named")
CONTEXT_TOKENS = 1_000_000


class ScriptedModel:
    """A model for tests: ``with ScriptedModel("reader") as model:`` and a client with ``model.base_url``.

    ``behaviour``: a name of BEHAVIOURS, or a function of the request body that returns a Turn.
    ``seed``: makes the ids of answers differ between servers. ``latency_seconds``: how long every
    answer takes. ``faults``: which requests fail, and how. ``key``: the one bearer token that is taken
    ("" takes any, None needs none), or a function that says of a token whether it is. ``federation``: a
    rule by which identity tokens are exchanged for the tokens that are taken. ``rate_limit``: how much
    fits a window, told in headers. ``retired``: models that exist but no longer answer.
    ``deprecated``: models that still answer, with the day on which they will not (empty: no day is set).
    ``clears``: the models can clear old tool results from a request (context editing).
    ``clock``: seconds, for the lifetime of cache entries and batches. ``batch_seconds``: how long a batch
    takes to end. ``batch_faults``: what goes wrong with requests about batches, one after the other, by
    their kind (create, retrieve, list, results, cancel). ``on_batch`` is called with the kind of each such
    request when it comes, and with ``created`` once a batch exists that its client does not know yet.
    Requests the real API would refuse are refused, and ``refused`` says why; ``requests`` holds every
    message request in the order they came, items of batches among them, and ``batch_requests`` the kinds of
    the requests about batches.
    """

    def __init__(
        self,
        behaviour: Behaviour | str = "reader",
        *,
        seed: int = 0,
        latency_seconds: float = 0.0,
        faults: Faults | None = None,
        key: Key = "",
        federation: Federation | None = None,
        rate_limit: RateLimit | None = None,
        retired: Collection[str] = (),
        deprecated: Mapping[str, str] | None = None,
        context_tokens: int = CONTEXT_TOKENS,
        clears: bool = False,
        clock: Callable[[], float] = time.monotonic,
        batch_seconds: float = 0.0,
        batch_faults: Mapping[str, Sequence[Fault | str]] | None = None,
        on_batch: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.behaviour = (
            _named("behaviour", behaviour, BEHAVIOURS) if isinstance(behaviour, str) else behaviour
        )
        self.federation = federation
        self.rate_limit = rate_limit
        self.rules = Rules(
            tuple(PRICES),
            tuple(retired),
            federation.knows if federation else key,
            dict(deprecated or {}),
            clears,
        )
        self.latency_seconds = latency_seconds
        known = {**{name: Fault(behaviour=name) for name in BEHAVIOURS}, **FAULTS}
        self.faults = {
            when: _named("fault", fault, known) if isinstance(fault, str) else fault
            for when, fault in (faults or {}).items()
        }
        self.context_tokens = context_tokens
        self.batches = Batches(self, batch_seconds, clock)
        self.batch_requests: list[str] = []
        self.on_batch = on_batch
        self._batch_faults = {
            kind: [_named("fault", each, FAULTS) if isinstance(each, str) else each for each in each_one]
            for kind, each_one in (batch_faults or {}).items()
        }
        self.refused: list[str] = []
        self.counted: list[Json] = []
        self._seed, self._clock = seed, clock
        self._served: dict[int, Served] = {}
        self._cache = PromptCache()
        self._said: dict[bytes, list[tuple[list[Json], str]]] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.model = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    @property
    def base_url(self) -> str:
        """Where a client finds the model, such as ``http://127.0.0.1:34567``."""
        if not self._server:
            raise RuntimeError("ScriptedModel is a context manager: use it with `with`")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Served]:
        """Every message request that was answered, in the order they came."""
        with self._lock:
            return [self._served[number] for number in sorted(self._served)]

    @property
    def usd(self) -> float:
        """What all answers cost together, exact to the nano-dollar."""
        return round(sum(served.usd for served in self.requests), 9)

    def open_request(self) -> int:
        """The number of a new request; the first is 1."""
        with self._lock:
            self._count += 1
            return self._count

    def find_fault(self, number: int, body: Json) -> Fault | None:
        """What goes wrong with this request."""
        return find_fault(self.faults, number, body)

    def open_batch_request(self, kind: str) -> Fault | None:
        """Note a request about batches; what goes wrong with it."""
        with self._lock:
            self.batch_requests.append(kind)
            waiting = self._batch_faults.get(kind)
            fault = waiting.pop(0) if waiting else None
        self.on_batch(kind)
        return fault

    def count(self, body: Json) -> int:
        """The tokens of a prompt. Raises Refused."""
        self.check(body, counting=True)
        with self._lock:
            self.counted.append(body)
        return sum(block.tokens for block in lay_out(body))

    def check(self, body: Any, *, counting: bool = False, betas: Sequence[str] = ()) -> None:
        """Raise Refused for what the API would not take; ``refused`` notes it."""
        try:
            check_editing(body, betas, clears=self.rules.clears)
            shown, _ = edit_request(body)
            check_request(shown, self.rules, counting=counting)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise Refused(f"malformed request: {type(error).__name__}: {error}") from error
        check_history(
            bare_messages(body["messages"]), lambda turns: self._said.get(_key(body["model"], turns), [])
        )
        tokens = sum(block.tokens for block in lay_out(shown))
        if tokens > self.context_tokens:
            raise Refused(f"prompt is too long: {tokens} tokens > {self.context_tokens} maximum")

    def answer(self, number: int, body: Json, fault: Fault | None) -> tuple[dict[str, Any], Charge]:
        """The message for a request that was checked, and what it costs."""
        asked, (body, edits) = body, edit_request(body)
        blocks = lay_out(body)
        with self._lock:
            prompt = self._cache.look_up(blocks, self._clock())
        mark = hashlib.sha256(b"%d %d" % (self._seed, number)).hexdigest()[:20]
        behaviour = BEHAVIOURS[fault.behaviour] if fault and fault.behaviour else self.behaviour
        answer = build_answer(behaviour(body), body, mark)
        if fault and fault.how == "empty":
            answer = Answer((), "end_turn", 1, 0)
        time.sleep(self.latency_seconds)
        charge = Charge(*prompt, answer.output_tokens, answer.thinking_tokens)
        self._remember(asked, blocks, answer)
        message = render_message(answer, charge, body["model"], mark)
        if "context_management" in asked:
            message["context_management"] = {"applied_edits": edits}
        return message, charge

    def _remember(self, body: Json, blocks: tuple[Block, ...], answer: Answer) -> None:
        key = _key(body["model"], bare_messages(body["messages"]))
        with self._lock:
            self._cache.store(blocks, self._clock())
            self._said.setdefault(key, []).append(([*answer.blocks], answer.stop_reason))

    def note(self, served: Served, problem: str = "") -> None:
        """Keep a request that is done with; ``problem`` is why the API would have refused it."""
        with self._lock:
            self._served[served.number] = served
            if problem:
                self.refused.append(problem)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    model: ScriptedModel


def _named(kind: str, name: str, known: Mapping[str, Named]) -> Named:
    if name not in known:
        raise ValueError(f"there is no {kind} {name!r}; there are {', '.join(known)}")
    return known[name]


def _key(model: str, messages: list[list[Any]]) -> bytes:
    return hashlib.sha256(compact([model, messages])).digest()
