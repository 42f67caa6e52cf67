"""HTTP of the scripted model: the routes, the headers, and how faults break an answer on its way."""

import json
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from reviewbot.testing.accounting import Charge
from reviewbot.testing.batches import MAXIMUM_BATCH_BYTES, Batches
from reviewbot.testing.catalogue import describe_model
from reviewbot.testing.checks import MAXIMUM_BYTES, Refused, Rules, check_headers
from reviewbot.testing.exchange import Served, parse_body
from reviewbot.testing.faults import FAULTS, Fault
from reviewbot.testing.federation import Federation
from reviewbot.testing.limits import RateLimit
from reviewbot.testing.wire import render_events

BATCHES = "/v1/messages/batches"
SECRET_HEADERS = ("authorization", "x-api-key", "cookie", "proxy-authorization")


class Model(Protocol):
    """What the routes need of ``server.ScriptedModel``."""

    rules: Rules
    federation: Federation | None
    rate_limit: RateLimit | None
    refused: list[str]
    batches: Batches
    on_batch: Callable[[str], None]

    def open_batch_request(self, kind: str) -> Fault | None:
        """Note a request about batches; what goes wrong with it."""

    def open_request(self) -> int:
        """The number of a new request."""

    def check(self, body: Any, *, betas: Sequence[str] = ()) -> None:
        """Raises Refused."""

    def count(self, body: Mapping[str, Any]) -> int:
        """The tokens of a prompt; raises Refused."""

    def find_fault(self, number: int, body: Mapping[str, Any]) -> Fault | None:
        """What goes wrong with a request."""

    def answer(
        self, number: int, body: Mapping[str, Any], fault: Fault | None
    ) -> tuple[dict[str, Any], Charge]:
        """The message, and what it costs."""

    def note(self, served: Served, problem: str = "") -> None:
        """Keep a request that is done with."""


class Handler(BaseHTTPRequestHandler):
    """One connection. The server it belongs to carries the model as ``model``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def model(self) -> Model:
        """The scripted model behind this connection."""
        return self.server.model  # type: ignore[attr-defined, no-any-return]

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed: ``requests`` and ``refused`` tell what happened."""

    def do_GET(self) -> None:
        """``/v1/models``, ``/v1/models/{id}``, and the batches."""
        if urlsplit(self.path).path.startswith(BATCHES):
            self._batches(b"")
            return
        self._request_id = "req_models"
        try:
            check_headers(self._headers(), self.model.rules)
            path = unquote(urlsplit(self.path).path)
            self._send(200, self._catalogue(path))
        except Refused as refusal:
            self._refuse(refusal)

    def _catalogue(self, path: str) -> dict[str, Any]:
        rules = self.model.rules
        names = [*rules.models]
        if path == "/v1/models":
            data = [self._describe(name) for name in names]
            return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}
        name = path.removeprefix("/v1/models/")
        if name not in names:
            raise Refused(f"{path}: no such model or path", 404, "not_found_error")
        return self._describe(name)

    def _describe(self, name: str) -> dict[str, Any]:
        rules = self.model.rules
        return describe_model(name, rules.retired, rules.deprecated, clears=rules.clears)

    def do_POST(self) -> None:
        """``/v1/messages``, ``/v1/messages/count_tokens``, and the batches."""
        path = urlsplit(self.path).path
        length = int(self.headers.get("content-length") or 0)
        is_batch = path.startswith(BATCHES)
        raw = self.rfile.read(min(length, (MAXIMUM_BATCH_BYTES if is_batch else MAXIMUM_BYTES) + 1))
        if is_batch:
            self._batches(raw)
            return
        if path == "/v1/messages":
            self._messages(raw)
            return
        if path == "/v1/oauth/token" and self.model.federation:
            self._exchange(self.model.federation, raw)
            return
        self._request_id = "req_count"
        try:
            check_headers(self._headers(), self.model.rules)
            if path != "/v1/messages/count_tokens":
                raise Refused(f"{path}: the scripted model has no such path", 404, "not_found_error")
            self._send(200, {"input_tokens": self.model.count(parse_body(raw))})
        except Refused as refusal:
            self.model.refused.append(str(refusal))
            self._refuse(refusal)

    def _exchange(self, federation: Federation, raw: bytes) -> None:
        """An identity token for an access token."""
        self._request_id = "req_oauth"
        try:
            self._send(200, federation.exchange(parse_body(raw), self._headers()))
        except Refused as refusal:
            self._refuse(refusal)

    def _batches(self, raw: bytes) -> None:
        """One request about batches: create, retrieve, list, results or cancel."""
        self._request_id = "req_batches"
        try:
            check_headers(self._headers(), self.model.rules)
            kind, batch_id = self._batch_route()
            fault = self.model.open_batch_request(kind) or Fault()
            if fault.status:
                self._send(fault.status, fault.error(self._request_id), fault.headers)
                return
            value = self._batch_answer(kind, batch_id, raw)
            if kind == "create":
                self.model.on_batch("created")
        except Refused as refusal:
            self.model.refused.append(str(refusal))
            self._refuse(refusal)
            return
        kind_of_data = "application/x-jsonl" if isinstance(value, bytes) else "application/json"
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        if fault.how == "reset":
            self._reset()
        elif fault.how in ("early_end", "broken_json"):
            self._send_bytes(200, data[: len(data) // 2], kind_of_data)
        elif fault.how == "html":
            self._send_bytes(200, b"<html><body>Please sign in.</body></html>", "text/html")
        else:
            self._send_bytes(200, b"" if fault.how == "empty" else data, kind_of_data)

    def _batch_route(self) -> tuple[str, str]:
        """Which request it is, and about which batch."""
        batch_id, _, rest = urlsplit(self.path).path.removeprefix(BATCHES).strip("/").partition("/")
        routes = {
            ("POST", False, ""): "create",
            ("GET", False, ""): "list",
            ("GET", True, ""): "retrieve",
            ("GET", True, "results"): "results",
            ("POST", True, "cancel"): "cancel",
        }
        kind = routes.get((self.command, bool(batch_id), rest))
        if kind is None:
            raise Refused(f"{self.path}: the scripted model has no such path", 404, "not_found_error")
        return kind, unquote(batch_id)

    def _batch_answer(self, kind: str, batch_id: str, raw: bytes) -> "bytes | dict[str, Any]":
        batches, base_url = self.model.batches, f"http://{self.headers.get('host')}"
        if kind == "create":
            if len(raw) > MAXIMUM_BATCH_BYTES:
                self.close_connection = True
                raise Refused("Request exceeds the maximum size", 413, "request_too_large")
            return batches.create(parse_body(raw))
        if kind == "list":
            return batches.list(dict(parse_qsl(urlsplit(self.path).query)), base_url)
        if kind == "results":
            return batches.results(batch_id)
        find = batches.cancel if kind == "cancel" else batches.retrieve
        return find(batch_id, base_url)

    def _messages(self, raw: bytes) -> None:
        number = self.model.open_request()
        self._request_id = f"req_{number:06d}"
        kept = {name: value for name, value in self._headers().items() if name not in SECRET_HEADERS}
        served = Served(number, {}, raw, kept, 200)
        try:
            served = self._answer(served, raw)
        except Refused as refusal:
            self.model.note(replace(served, status=refusal.status), str(refusal))
            self._refuse(refusal)

    def _answer(self, served: Served, raw: bytes) -> Served:
        if len(raw) > MAXIMUM_BYTES:
            self.close_connection = True
            raise Refused("Request exceeds the maximum size", 413, "request_too_large")
        check_headers(self._headers(), self.model.rules)
        body = parse_body(raw)
        betas = [beta.strip() for beta in self._headers().get("anthropic-beta", "").split(",")]
        self.model.check(body, betas=betas)
        fault = self.model.find_fault(served.number, body)
        if self.model.rate_limit and not self.model.rate_limit.take():
            fault = FAULTS["rate_limit"]
        served = replace(served, body=body, fault=fault)
        is_strange = fault and (fault.how == "stream_error" and not body.get("stream"))
        if is_strange or (fault and fault.how in ("expired", "canceled")):
            fault = FAULTS["overloaded"]
        if fault and fault.status:
            self.model.note(replace(served, status=fault.status))
            self._send(fault.status, fault.error(self._request_id), fault.headers)
            return served
        message, charge = self.model.answer(served.number, body, fault)
        self._note_answer(served, message, charge)
        self._send_answer(message, fault or Fault(), bool(body.get("stream")))
        return served

    def _note_answer(self, served: Served, message: Mapping[str, Any], charge: Charge) -> None:
        if self.model.rate_limit:
            self.model.rate_limit.write(charge.output)
        usd = charge.nano_usd(str(message["model"])) / 1_000_000_000
        stop = str(message["stop_reason"])
        self.model.note(replace(served, stop_reason=stop, usage=charge.usage(), usd=usd))

    def _send_answer(self, message: dict[str, Any], fault: Fault, stream: bool) -> None:
        left_out = {"no_usage": "usage", "no_stop_reason": "stop_reason"}.get(fault.how)
        if fault.how == "html":
            self._send_bytes(200, b"<html><body>Please sign in.</body></html>", "text/html")
        elif fault.how == "reset":
            self._reset()
        elif stream:
            self._stream(message, fault.how)
        elif fault.how in ("broken_json", "early_end"):
            data = json.dumps(message).encode()
            self._send_bytes(200, data[: len(data) // 2], "application/json")
        else:
            self._send(200, {key: value for key, value in message.items() if key != left_out})

    def _stream(self, message: dict[str, Any], how: str) -> None:
        events = [*render_events(message)]
        cut_short = how in ("early_end", "stream_error", "broken_json", "no_stop_reason")
        self._start(200, "text/event-stream", {"transfer-encoding": "chunked"})
        for name, data in events[: max(2, len(events) // 2)] if cut_short else events:
            self._chunk(
                name, {key: value for key, value in data.items() if how != "no_usage" or key != "usage"}
            )
        if how == "stream_error":
            self._chunk("error", FAULTS["overloaded"].error(self._request_id))
        if how == "broken_json":
            self._write_chunk(b'event: message_delta\ndata: {"type": "message_del\n\n')
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _chunk(self, name: str, data: Mapping[str, Any]) -> None:
        self._write_chunk(f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def _write_chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _reset(self) -> None:
        """Close with a reset, as a connection that breaks: the kernel sends RST where nothing lingers."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def _refuse(self, refusal: Refused) -> None:
        self._send(refusal.status, Fault(0, refusal.kind, str(refusal)).error(self._request_id))

    def _send(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        self._send_bytes(status, data, "application/json", headers)

    def _send_bytes(
        self, status: int, data: bytes, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._start(status, kind, {"content-length": str(len(data)), **(headers or {})})
        self.wfile.write(data)
        self.wfile.flush()

    def _start(self, status: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        limits = {
            "request-id": self._request_id,
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": "0" if status == 429 else "3999",
        }
        told = self.model.rate_limit.headers() if self.model.rate_limit else {}
        for name, value in {"content-type": kind, **limits, **told, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}
