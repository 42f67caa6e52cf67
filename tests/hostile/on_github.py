"""One run of the action on a pull request about which strangers say things, with a model over a socket."""

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from reviewbot.action.entrypoint import run_action
from reviewbot.testing import ScriptedModel
from reviewbot.testing.behaviours import Behaviour
from tests.github.events import pull_request_event
from tests.github.fake import FakeGitHub
from tests.github.site import Recorded
from tests.hostile.rig import KEY
from tests.repositories import Sandbox

NAME = "octo/app"
FILES: Mapping[str, str] = {
    "app.py": "import subprocess\n\n\ndef run(request):\n    subprocess.run(request.args['c'], shell=True)\n"
}
_NONCE = re.compile(rb"<(?:change|files|notes|failures)-([0-9a-f]{16})>")


@dataclass(frozen=True, slots=True)
class Told:
    """What is said about a change without being in it."""

    title: str = "Change 1"
    body: str = ""
    branch: str = "feature"
    author: str = "octocat"
    message: str = "c"
    labels: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()

    @staticmethod
    def everywhere(*texts: str) -> "Told":
        """The texts in all places at once."""
        first = texts[0]
        whole = "\n\n".join(texts)
        return Told(first, whole, first, "mallory", whole.replace("\0", "") or "c", texts, texts)


@dataclass(frozen=True, slots=True)
class Acted:
    """What one run did: exit code, outputs, what the model was sent, all requests, all that was printed."""

    code: int
    outputs: Mapping[str, str]
    sent: tuple[bytes, ...]
    requests: tuple[Recorded, ...]
    refused: tuple[str, ...]
    printed: str
    posted: tuple[str, ...]
    report: Mapping[str, object]
    head_sha: str
    token: str


@contextmanager
def github() -> Iterator[FakeGitHub]:
    """A fake GitHub that this process trusts."""
    with FakeGitHub() as fake:
        trust = {"SSL_CERT_FILE": str(fake.ca_file), "REQUESTS_CA_BUNDLE": str(fake.ca_file)}
        # The process that runs this must not become the owner of a folder.
        with (
            patch.dict(os.environ, trust),
            patch("reviewbot.action.entrypoint.owner_to_become", lambda workspace: None),
        ):
            yield fake


def act(
    fake: FakeGitHub, folder: Path, told: Told, mind: Behaviour | str = "reader",
    files: Mapping[str, str] = FILES,
) -> Acted:  # fmt: skip
    """Open pull request 1 with these files and run the action on it."""
    head = _open(fake, Sandbox(folder / "repository"), told, files)
    pull = fake.state.repository(NAME).pulls[1]
    payload = json.loads(pull_request_event(fake, NAME, 1))
    payload["pull_request"] |= {"title": told.title, "body": told.body}
    payload["pull_request"]["labels"] = [{"name": label} for label in told.labels]
    out, token = io.StringIO(), fake.token()
    with ScriptedModel(mind) as model:
        environment = step_environment(fake, folder, payload, token, model)
        begun = len(fake.requests)
        code = run_action(environment, out)
    written = {
        name: value
        for name, _, value in re.findall(
            r"^([a-z-]+)<<(\S+)\n(.*?)\n\2$", (folder / "outputs").read_text(), re.MULTILINE | re.DOTALL
        )
    }
    said = [each.body for each in pull.reviews]
    said += [each.body for each in pull.review_comments]
    said += [each.body for each in pull.issue_comments[len(told.comments) :]]
    return Acted(
        code=code,
        outputs=written,
        sent=tuple(served.raw for served in model.requests),
        requests=tuple(fake.requests[begun:]),
        refused=(*fake.refused, *model.refused),
        printed=out.getvalue() + (folder / "summary").read_text(),
        posted=tuple(said),
        report=json.loads((folder / "workspace" / written["report"]).read_text()),
        head_sha=head,
        token=token,
    )


def _open(fake: FakeGitHub, sandbox: Sandbox, told: Told, files: Mapping[str, str]) -> str:
    sandbox.commit({"README.md": "x\n"})
    sandbox.git("switch", "-q", "--detach")
    sandbox.commit(files)
    sandbox.git(
        "commit",
        "-q",
        "--amend",
        "--no-gpg-sign",
        "--cleanup=verbatim",
        "-F",
        "-",
        stdin=told.message.encode(),
    )
    head = sandbox.git("rev-parse", "HEAD")
    fake.state.repositories.clear()
    fake.add_repository(NAME, sandbox.folder)
    fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head, head_ref=told.branch, author=told.author)
    fake.change_pull_request(NAME, 1, title=told.title)
    for text in told.comments:
        fake.add_issue_comment(NAME, 1, "mallory", text)
    return head


def step_environment(
    fake: FakeGitHub, folder: Path, payload: object, token: str, model: ScriptedModel
) -> dict[str, str]:
    """What a runner gives the step; its files and an empty workspace are made below ``folder``."""
    (folder / "workspace").mkdir()
    for name, text in {"event.json": json.dumps(payload), "outputs": "", "summary": ""}.items():
        (folder / name).write_text(text)
    return {
        "PATH": os.environ["PATH"],
        "SSL_CERT_FILE": str(fake.ca_file),
        "GITHUB_ACTIONS": "true",
        "CI": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": NAME,
        "GITHUB_ACTOR": "octocat",
        "GITHUB_WORKSPACE": str(folder / "workspace"),
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_API_URL": fake.api_url,
        "GITHUB_GRAPHQL_URL": fake.graphql_url,
        "GITHUB_SERVER_URL": fake.server_url,
        "INPUT_GITHUB-TOKEN": token,
        "INPUT_ANTHROPIC-API-KEY": KEY,
        "INPUT_BASE-URL": model.base_url,
        "INPUT_STATE-KEY": "0123456789abcdef",
    }


def without_nonce(sent: tuple[bytes, ...]) -> list[bytes]:
    """The requests with the random number of their fences replaced, in a fixed order."""
    plain = []
    for raw in sent:
        same = raw
        for nonce in set(_NONCE.findall(raw)):
            same = same.replace(nonce, b"NONCE")
        plain.append(same)
    return sorted(plain)


def wrong_requests(acted: Acted) -> list[str]:
    """Requests to GitHub that are for something else than this pull request, or do what a bot must not."""
    allowed = re.compile(
        rf"/api/repos/{NAME}(?:/(?:pulls|issues)/1(?:/|$|\?)|/(?:compare|commits|git|check-runs)|$)"
    )
    wrong = [
        f"{r.method} {r.path}"
        for r in acted.requests
        if r.path.startswith("/api") and not allowed.match(r.path)
    ]
    # https://docs.github.com/rest/pulls/reviews: APPROVE and REQUEST_CHANGES are reviews with a vote.
    acts = rb'"event": ?"(?:APPROVE|REQUEST_CHANGES|DISMISS)"|/merge|/labels|dismissals|mergePullRequest|addLabels'
    wrong += [
        f"{r.method} {r.path} votes" for r in acted.requests if re.search(acts, r.body + r.path.encode())
    ]
    wrong += [f"{r.path} left the server" for r in acted.requests if r.is_git and NAME not in r.path]
    return wrong
