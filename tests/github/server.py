"""Sockets: HTTPS with a certificate of our own authority, one thread for each connection."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.github.rules import Answer
from tests.github.site import Request, Site


def start_server(site: Site, ca_file: Path) -> ThreadingHTTPServer:
    """Serve ``site`` on a free port of 127.0.0.1 and write the authority's certificate to ``ca_file``."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # The handshake belongs to the connection's thread: a silent client must not stop the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that distrust us hang up
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"
    timeout = 60
    server_version = "GitHub.com"
    # Headers and body leave together: in two packets each answer waits 40 ms for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.site.answer(Request(self.command, self.path, headers, self._read_body()))
        if answer is None:
            self.close_connection = True
            return
        kind, data = _encode(answer)
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's names

    def _read_body(self) -> bytes:
        """The body; git sends large ones in chunks (RFC 9112, 7.1)."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are recorded by the site."""


def _encode(answer: Answer) -> tuple[str, bytes]:
    if isinstance(answer.body, bytes):
        return "application/octet-stream", answer.body
    if isinstance(answer.body, str):
        return "text/plain; charset=utf-8", answer.body.encode()
    return "application/json; charset=utf-8", json.dumps(answer.body).encode()
