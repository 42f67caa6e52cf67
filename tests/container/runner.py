"""Starts the image as a workflow runner starts a container action: mounts, file commands, environment."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.container.image import storage
from tests.github.fake import FakeGitHub

UID, GID = 1001, 118
"""Who owns the workspace on a hosted runner; the container starts as root."""

NAME = "octo/app"
"""The repository that the workflow belongs to."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one step ended."""

    code: int
    out: str
    error: str
    outputs: Mapping[str, str]
    summary: str


class Runner:
    """The folders of one job. ``folder`` must be one that other users can enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("home", "workflow", "file_commands", "workspace"):
            (folder / name).mkdir()
        os.chown(self.workspace, UID, GID)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def step(
        self,
        image: str,
        event: str,
        payload: bytes,
        environment: Mapping[str, str],
        *,
        options: tuple[str, ...] = (),
        ca_file: Path | None = None,
    ) -> Ran:
        """Run the image's own entrypoint on one event."""
        (self.folder / "workflow/event.json").write_bytes(payload)
        commands = self.folder / "file_commands"
        for name in ("set_output_1", "step_summary_1"):
            (commands / name).write_text("")
            (commands / name).chmod(0o600)
        if ca_file is not None:
            (self.folder / "workflow/ca.pem").write_bytes(ca_file.read_bytes())
        given = {
            "HOME": "/github/home",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_WORKSPACE": "/github/workspace",
            "GITHUB_OUTPUT": "/github/file_commands/set_output_1",
            "GITHUB_STEP_SUMMARY": "/github/file_commands/step_summary_1",
            "SSL_CERT_FILE": "/github/workflow/ca.pem",
            **environment,
        }
        mounts = [f"-v={self.folder / name}:/github/{name}" for name in ("home", "workflow", "file_commands")]
        done = subprocess.run(
            [
                "podman",
                *storage(),
                "--runtime",
                "runc",
                "run",
                "--rm",
                "--network",
                "host",
                "--http-proxy=false",
            ]
            + ["--ulimit", "nofile=10000:10000", "--ulimit", "nproc=4096:4096", *options]
            + [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
            + [*mounts, f"-v={self.workspace}:/github/workspace", "--workdir", "/github/workspace", image],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Ran(
            done.returncode,
            done.stdout,
            done.stderr,
            parse_outputs((commands / "set_output_1").read_text()),
            (commands / "step_summary_1").read_text(),
        )


def describe(fake: FakeGitHub, **inputs: str) -> dict[str, str]:
    """What a runner tells a step of a workflow of ``NAME``: where GitHub is, and the step's inputs."""
    inputs.setdefault("github_token", fake.token())
    return {
        "GITHUB_REPOSITORY": NAME,
        "GITHUB_ACTOR": "octocat",
        "GITHUB_API_URL": fake.api_url,
        "GITHUB_GRAPHQL_URL": fake.graphql_url,
        "GITHUB_SERVER_URL": fake.server_url,
        **{f"INPUT_{name.replace('_', '-').upper()}": value for name, value in inputs.items()},
    }


def parse_outputs(text: str) -> dict[str, str]:
    """What a runner reads from the file of outputs: ``name<<MARK``, the value, ``MARK``."""
    found = re.findall(r"^([^\n<=]+)<<([^\n]+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in found}
