"""The container with little: whole reviews of a pull request without limits, and with 1 GiB and one CPU.

    python bench/container.py REPOSITORY BASE..HEAD [BASE..HEAD ...]

Builds the image as the container's tests do (podman, buildah, runc, debootstrap and root), starts it as a
runner would, against a GitHub and a model of this machine, and prints seconds, verdict and exit code. A
container that ran out of memory ends with 137.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cost import answer_shortly

from reviewbot.testing import ScriptedModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.container.image import build
from tests.container.runner import NAME, Ran, Runner, describe
from tests.github.events import pull_request_event
from tests.github.fake import FakeGitHub

LIMITS: dict[str, tuple[str, ...]] = {
    "none": (),
    "1 GiB, 1 CPU": ("--memory=1g", "--memory-swap=1g", "--cpuset-cpus=0"),
}


def git(*arguments: str) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def review(image: str, clone: Path, base: str, head: str, options: tuple[str, ...]) -> tuple[Ran, float]:
    """One run of the action on the range as pull request 1, and its seconds."""
    with (
        FakeGitHub() as fake,
        ScriptedModel(answer_shortly) as model,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o755)
        fake.add_repository(NAME, clone)
        fake.set_branch(NAME, "main", base)
        fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head)
        given = describe(fake, anthropic_api_key="sk-test", base_url=model.base_url, budget_usd="20")
        event = pull_request_event(fake, NAME, 1)
        runner = Runner(Path(folder))
        started = time.monotonic()
        ran = runner.step(image, "pull_request", event, given, options=options, ca_file=fake.ca_file)
        return ran, time.monotonic() - started


def main() -> int:
    """Print a row for each range and limit."""
    repository, *ranges = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        image = build(Path(scratch))
        clone = Path(scratch) / "clone.git"
        git("clone", "-q", "--bare", repository, str(clone))
        print("| range | limits | seconds | verdict | exit code |\n" + "|---" * 5 + "|")
        for given in ranges:
            base, _, head = given.partition("..")
            start, end = (
                git("-C", str(clone), "rev-parse", f"{n}^{{commit}}") for n in (base, head or "HEAD")
            )
            for name, options in LIMITS.items():
                ran, seconds = review(image, clone, start, end, options)
                verdict = ran.outputs.get("verdict", "none")
                print(f"| {given} | {name} | {seconds:.1f} | {verdict} | {ran.code} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
