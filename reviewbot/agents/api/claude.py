"""The one door to the Anthropic SDK: ask a model once, with bounded retries and typed failures.

Calls are not streamed: an answer is then one JSON document that either came whole or did not, and its
blocks can be kept exactly as received. The SDK keeps the connection alive while the model thinks.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast

from reviewbot.agents.api.client import make_client
from reviewbot.agents.api.failures import ErrorCode, ModelError, is_spend_limit, status_error
from reviewbot.agents.api.model_facts import ModelFacts, parse_model
from reviewbot.agents.api.pacing import Pace
from reviewbot.agents.api.replies import Reply, parse_count, parse_reply
from reviewbot.claims import Usage
from reviewbot.text import one_line

if TYPE_CHECKING:
    import anthropic

__all__ = ["Ask", "Claude", "ErrorCode", "ModelError", "Reply", "connect", "transform"]

MAX_WAIT_SECONDS = 60.0
"""How long a server may make us wait before a retry; what asks for more is an outage."""

CONNECT_SECONDS = 10.0

BYTES_A_TOKEN = 4
"""About how many bytes of a request a token holds: rate limits are kept by estimate."""

DESCRIBE_SECONDS = 20.0

COUNT_SECONDS = 10.0

CONTEXT_EDITING = "context-management-2025-06-27"
"""The beta that clears old tool results."""

EDITED_TOKENS = 5_000
"""Whether it is worth it was decided by whoever asks; requests that ask for it hold more than this."""

# Nothing left this machine when one of these happened.
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. The lists hold blocks as the API wants them; ``seconds`` bounds it with its retries.

    ``kept``: all but so many of the newest tool results are to be cleared from it (0: none are).
    """

    model: str
    max_tokens: int
    system: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    effort: str
    schema: Mapping[str, Any] | None
    seconds: float
    kept: int = 0

    def body(self) -> dict[str, Any]:
        """The JSON body. No sampling parameter, no forced tool, no prefill: the API refuses them."""
        output: dict[str, Any] = {"effort": self.effort}
        if self.schema is not None:
            output["format"] = {"type": "json_schema", "schema": self.schema}
        body: dict[str, Any] = {"model": self.model, "max_tokens": self.max_tokens, "output_config": output}
        if self.tools:
            body["tools"] = list(self.tools)
        if self.system:
            body["system"] = list(self.system)
        return {**body, "messages": list(self.messages)}

    def size(self) -> int:
        """Bytes of the body as it is sent."""
        text = json.dumps(self.body(), ensure_ascii=False, separators=(",", ":"))
        return len(text.encode(errors="surrogatepass"))


class Claude:
    """A connected client. ``ask`` may be called by several tasks at a time."""

    def __init__(self, client: "anthropic.AsyncAnthropic", secrets: Collection[str] = ()) -> None:
        self._client = client
        # Not a copy: tokens that are minted later join it.
        self._secrets = secrets
        self._pace = Pace()

    async def ask(self, ask: Ask) -> Reply:
        """One answer of the model.

        Raises:
            ModelError: none came, or none that can be used.
        """
        started = time.monotonic()
        attempts = _Attempts(
            min(MAX_WAIT_SECONDS, ask.seconds),
            lambda headers, wait: self._pace.note(ask.model, headers, wait),
        )
        async with self._pace.turn(ask.model, ask.size() // BYTES_A_TOKEN, ask.seconds):
            raw = await self._send(
                attempts,
                ask.model,
                max(1.0, ask.seconds - (time.monotonic() - started)),
                lambda client, timeout: _create(client, ask, timeout),
            )
        reply = parse_reply(
            raw.http_response.content,
            ask.model,
            request_id=one_line(raw.headers.get("request-id") or "", 100),
            seconds=time.monotonic() - started,
            lost=attempts.lost,
        )
        self._pace.learn(ask.model, reply.usage.output)
        return reply

    async def count(self, ask: Ask) -> int:
        """The prompt tokens of a request as the provider counts them; free of charge, one attempt.

        Raises:
            ModelError: it does not say.
        """
        body = {key: value for key, value in ask.body().items() if key != "max_tokens"}
        raw = await self._send(
            _Attempts(COUNT_SECONDS),
            ask.model,
            min(COUNT_SECONDS, ask.seconds),
            lambda client, timeout: client.messages.with_raw_response.count_tokens(
                **cast(Any, body), timeout=timeout
            ),
            once=True,
        )
        return parse_count(raw.http_response.content)

    async def describe(self, model: str, *, once: bool = False) -> ModelFacts:
        """What the provider says about a model; free of charge, a few seconds at most. ``once``: no retries.

        Raises:
            ModelError: it does not know the model, or nothing usable came.
        """
        raw = await self._send(
            _Attempts(DESCRIBE_SECONDS),
            model,
            DESCRIBE_SECONDS,
            lambda client, timeout: client.models.with_raw_response.retrieve(model, timeout=timeout),
            once=once,
        )
        return parse_model(raw.http_response.content)

    async def exchange(
        self,
        seconds: float,
        call: Callable[["anthropic.AsyncAnthropic", Any], Awaitable[Any]],
        *,
        once: bool = False,
    ) -> bytes:
        """The body of the answer to another call of the client; ``once``: it is not sent again.

        Raises:
            ModelError: none came. Its usage is None where the call may have been carried out all the same.
        """
        raw = await self._send(_Attempts(min(MAX_WAIT_SECONDS, seconds)), "", seconds, call, once=once)
        data: bytes = getattr(raw, "http_response", raw).content
        return data

    async def _send(
        self,
        attempts: "_Attempts",
        model: str,
        seconds: float,
        call: Callable[["anthropic.AsyncAnthropic", Any], Awaitable[Any]],
        *,
        once: bool = False,
    ) -> Any:
        """One raw response within so many seconds, retries included. Raises ModelError."""
        import anthropic  # noqa: PLC0415 - loaded by `connect`, and only where a model is asked

        client = self._client.with_options(middleware=[attempts.watch])
        client = client.with_options(max_retries=0) if once else client
        try:
            async with asyncio.timeout(seconds):
                return await call(client, anthropic.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)))
        except TimeoutError:
            detail = f"The model did not answer within {seconds:.0f} seconds."
            raise ModelError("provider_outage", detail) from None
        except ModelError as error:
            raise self._redacted(error, attempts.lost) from None
        except (anthropic.AnthropicError, ValueError, TypeError) as error:
            raise self._redacted(_failure(error, model), attempts.lost) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _redacted(self, error: ModelError, lost: int) -> ModelError:
        detail = error.detail
        for secret in self._secrets:
            detail = detail.replace(secret, "***")
        return ModelError(
            error.code, detail, None if lost else error.usage, model=error.model, request_id=error.request_id
        )


def connect(environment: Mapping[str, str], *, base_url: str = "", tracer_provider: object = None) -> Claude:
    """A connected client with the credentials of the environment (``client.make_client``).

    ``tracer_provider`` is OpenTelemetry's, for the SDK's own spans.

    Raises:
        MissingCredentials: none are set, or what is set cannot be used.
        UsageError: the base URL or the credential helper cannot be used.
    """
    return Claude(*make_client(environment, base_url, tracer_provider))


def transform(model: type) -> dict[str, Any]:
    """The JSON schema of a pydantic model in the subset that the API takes for structured output."""
    import anthropic  # noqa: PLC0415 - 1.6 s, needed only where a model is asked

    return anthropic.transform_schema(model)


class _Attempts:
    """What happens to the attempts of one call, each of which passes through ``watch``.

    ``note`` gets the headers of every answer, errors too, and the seconds that an error asks us to wait.
    """

    def __init__(
        self, longest_wait: float, note: Callable[[Mapping[str, str], float], None] = lambda *_: None
    ) -> None:
        self.lost = 0
        self._longest_wait = longest_wait
        self._note = note

    async def watch(self, request: object, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Stop retries that would wait too long or cannot help; count answers that never came."""
        import anthropic  # noqa: PLC0415 - loaded by `connect`, and only where a model is asked

        try:
            response = await call_next(request)
        except anthropic.APIConnectionError as error:
            self.lost += type(error.__cause__).__name__ not in _NEVER_SENT
            raise
        self._check(getattr(response, "http_response", response))
        return response

    def _check(self, response: Any) -> None:
        if response.status_code == 429 and is_spend_limit(_json(response)):
            raise status_error(429, _json(response), model="", request_id=_request_id(response))
        is_passing = response.status_code == 429 or response.status_code >= 500
        wait = _retry_after(response.headers) if is_passing else 0.0
        self._note(response.headers, wait)
        if wait > self._longest_wait:
            detail = (
                f"The provider asks to wait {wait:,.0f} seconds before the next try "
                f"(HTTP {response.status_code}), and we wait at most {self._longest_wait:.0f}."
            )
            code: ErrorCode = "rate_limit" if response.status_code == 429 else "provider_outage"
            raise ModelError(code, detail, Usage(), request_id=_request_id(response))


def _create(client: "anthropic.AsyncAnthropic", ask: Ask, timeout: Any) -> Awaitable[Any]:
    body = cast(Any, ask.body())
    if not ask.kept:
        return client.messages.with_raw_response.create(**body, timeout=timeout)
    edit: Any = {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "input_tokens", "value": EDITED_TOKENS},
        "keep": {"type": "tool_uses", "value": ask.kept},
    }
    return client.beta.messages.with_raw_response.create(
        **body, betas=[CONTEXT_EDITING], context_management={"edits": [edit]}, timeout=timeout
    )


def _failure(error: Exception, model: str) -> ModelError:
    import anthropic  # noqa: PLC0415 - loaded by `connect`, and only where a model is asked

    if isinstance(error, anthropic.APIStatusError):
        return status_error(error.status_code, error.body, model=model, request_id=error.request_id or "")
    if isinstance(error, anthropic.APITimeoutError):
        return ModelError(
            "provider_outage", "The provider did not answer in time, also after retries.", Usage()
        )
    if isinstance(error, anthropic.APIConnectionError):
        why = type(error.__cause__).__name__
        return ModelError("provider_outage", f"The provider cannot be reached ({why}).", Usage())
    if isinstance(error, (anthropic.CredentialsError, anthropic.WorkloadIdentityError)):
        said = one_line(str(error), 200)
        return ModelError("bad_credentials", f"The credentials cannot be used: {said}", Usage())
    # Raised before anything is sent: a value that the SDK itself refuses.
    return ModelError("bad_request", f"The request cannot be sent: {one_line(str(error), 200)}", Usage())


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks us to wait, as the SDK reads it; 0 where it asks for nothing readable."""
    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return float(headers.get(name) or "") / scale
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(headers.get("retry-after") or "").timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


def _json(response: Any) -> object:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _request_id(response: Any) -> str:
    return one_line(response.headers.get("request-id") or "", 100)


def preload() -> None:
    """Begin to import the SDK in a thread: its 1.4 s of CPU pass while git and the analyzers run."""

    def load() -> None:
        import anthropic  # noqa: F401, PLC0415 - only to have it in sys.modules

    threading.Thread(target=load, daemon=True).start()
