"""Git over smart HTTP: the real ``git http-backend``, run as a CGI program on the served folder."""

import subprocess
from collections.abc import Mapping

from tests.github.rules import Answer
from tests.github.served import ServedRepository, git_environment

_CONFIG = {
    # As GitHub: partial clones and any object that exists, by its id.
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "http.receivepack": "false",
    "safe.directory": "*",
}


def serve_git(
    served: ServedRepository, method: str, service: str, query: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Answer ``info/refs`` or ``git-upload-pack`` (RFC 3875 in, status and headers out)."""
    environment = {
        **git_environment(),
        "GIT_PROJECT_ROOT": str(served.git_dir),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": str(len(_CONFIG)),
        "PATH_INFO": f"/{service}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "REMOTE_USER": "x-access-token",
        "REMOTE_ADDR": "127.0.0.1",
    }
    for number, (name, value) in enumerate(_CONFIG.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
    )
    head, _, data = done.stdout.partition(b"\r\n\r\n")
    if not head:
        return Answer(500, done.stderr)
    answered = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
    status = int(answered.pop("Status", "200 OK").split()[0])
    return Answer(status, data, answered)
