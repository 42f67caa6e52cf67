"""One small repository with a pull request on the fake, and three ways to talk to it."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox

if TYPE_CHECKING:
    import github

REPO = "/api/repos/octo/app"
LINES = [f"line {number}\n" for number in range(1, 61)]


@dataclass
class World:
    fake: FakeGitHub
    sandbox: Sandbox
    base: str
    head: str

    def client(self, **token: Any) -> "github.Github":
        import github

        return github.Github(
            base_url=self.fake.api_url,
            auth=github.Auth.Token(self.fake.token(**token)),
            verify=str(self.fake.ca_file),
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
        )

    def send(
        self, method: str, path: str, body: object = None, *, token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """One request by hand: status, headers in lower case, JSON or text."""
        host, port = self.fake.server_url.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(self.fake.ca_file))
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
        sent = {"User-Agent": "test", "Authorization": f"Bearer {token or self.fake.token()}", **headers}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        got = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, got, json.loads(text) if "json" in got["content-type"] else text

    def query(self, text: str, *, token: str | None = None, **variables: object) -> Any:
        return self.send("POST", "/graphql", {"query": text, "variables": variables}, token=token)[2]

    def review(self, *comments: dict[str, object], **more: object) -> tuple[int, Any]:
        body = {"event": "COMMENT", "body": "see", "commit_id": self.head, "comments": comments, **more}
        status, _, answer = self.send("POST", f"{REPO}/pulls/1/reviews", body)
        return status, answer


@contextmanager
def start_world(sandbox: Sandbox) -> Iterator[World]:
    """main has one commit more than the branch point; the change has hunks at 10 and 50, a file less and one more."""
    sandbox.commit({"a.py": "".join(LINES), "gone.py": "x\ny\n", "old.py": "".join(LINES[:30])})
    sandbox.git("checkout", "-q", "-b", "feature")
    changed = list(LINES)
    changed[9], changed[49] = "ten\n", "fifty\n"
    sandbox.remove("gone.py")
    sandbox.git("mv", "old.py", "renamed.py")
    head = sandbox.commit({"a.py": "".join(changed), "new.py": "one\ntwo\n"})
    sandbox.git("checkout", "-q", "main")
    base = sandbox.commit({"elsewhere.py": "z\n"})
    with FakeGitHub() as fake:
        fake.add_repository("octo/app", sandbox.folder, permissions={"mia": "maintain"})
        fake.add_pull_request("octo/app", 1, base_ref="main", head_sha=head)
        yield World(fake, sandbox, base, head)


def comment(**more: object) -> dict[str, object]:
    return {"path": "a.py", "line": 10, "side": "RIGHT", "body": "text", **more}
