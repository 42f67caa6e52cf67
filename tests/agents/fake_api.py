"""A Messages endpoint on a real socket that plays a script, and refuses conversations the API would refuse."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Answer:
    """``body`` is JSON, or bytes as they are; ``cut`` closes the connection with nothing said."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    wait: threading.Event | None = None


Step = Answer | Callable[[Body], Answer]


@dataclass
class FakeApi:
    """``counted`` are the requests for a count, which are no steps of the script."""

    url: str
    counted: list[Body] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def message(
    *content: Body,
    stop: str | None = "end_turn",
    model: str = "claude-opus-5-5",
    usage: Mapping[str, Any] | None = None,
    **more: Any,
) -> Body:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(content),
        "stop_reason": stop,
        "usage": usage or {"input_tokens": 10, "output_tokens": 5},
        **more,
    }


def text(said: str) -> Body:
    return {"type": "text", "text": said}


def thinking(signature: str) -> Body:
    return {"type": "thinking", "thinking": "", "signature": signature}


def use(name: str, call_id: str, /, **arguments: Any) -> Body:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


@contextmanager
def serving(script: Sequence[Step], tokens: object = None) -> Iterator[FakeApi]:
    """Each request takes the next step of ``script``; past its end the last one is played again.

    ``tokens`` is what every count is answered with; None: there is no such page.
    """
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.loads(data)
            if self.path == "/v1/messages/count_tokens":
                api.counted.append(body)
                self._say(Answer({"input_tokens": tokens}) if tokens is not None else Answer({}, 404))
                return
            with lock:
                step = script[min(len(api.bodies), len(script) - 1)]
                api.faults += faults_of(self.path, body, api.bodies)
                api.bodies.append(body)
                api.raw.append(data)
                api.headers.append(dict(self.headers.items()))
            answer = step if isinstance(step, Answer) else step(body)
            if answer.wait is not None:
                answer.wait.wait(10)
            if answer.cut:
                self.close_connection = True
                return
            self._say(answer)

        def _say(self, answer: Answer) -> None:
            said = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.send_header("request-id", f"req_{len(api.bodies)}")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hung up, as some tests want it to, is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    api = FakeApi(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def faults_of(path: str, body: Body, before: Sequence[Body]) -> list[str]:
    """What the real API would refuse, as far as a conversation can get it wrong."""
    found = [] if path == "/v1/messages" else [f"path {path}"]
    found += [name for name in ("temperature", "top_p", "top_k", "tool_choice", "thinking") if name in body]
    blocks = [block for turn in body["messages"] for block in turn["content"]]
    marks = json.dumps(body).count('"cache_control"')
    found += [f"{marks} marks"] if marks > 4 else []
    found += ["no user turn at the end"] if body["messages"][-1]["role"] != "user" else []
    asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
    answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    found += ["tool calls without results, or out of order"] if asked != answered else []
    if before and bare(before[-1]["messages"]) != bare(body["messages"])[: len(before[-1]["messages"])]:
        found.append("the history was changed")
    return found


def bare(value: Any) -> Any:
    """Without cache marks."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if key != "cache_control"}
    return [bare(item) for item in value] if isinstance(value, list) else value
