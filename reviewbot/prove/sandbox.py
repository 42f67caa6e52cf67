"""The one place where code of a change runs: a command in a scratch copy, fenced in as the host allows.

The command sees an environment of ours and nothing of the caller's, has a time and an output cap, and
ends with everything that it started. Where bubblewrap works it also has no network, no view of other
processes and nothing to write to but its scratch folder; the result says which of the two it was.
"""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reviewbot.change.git import Repository
from reviewbot.change.hardening import HARDENED, find_git, git_env, last_line
from reviewbot.core import Sha
from reviewbot.errors import NoReview, ReviewbotError

OUTPUT_KEPT = 1024 * 1024
"""Bytes of output that are kept, half of them from its end."""
OUTPUT_CAP = 256 * 1024 * 1024
"""Bytes of output after which a command is stopped."""
COPY_CAP = 4 * 1024**3
"""Bytes that a scratch copy may hold."""

_SECRETS = (
    *(".ssh", ".aws", ".azure", ".config", ".docker", ".gnupg", ".kube", ".netrc", ".npmrc", ".pypirc"),
    *(".git-credentials", ".cargo/credentials.toml", ".m2/settings.xml", ".gradle/gradle.properties"),
)
"""Below a home folder: what a test has no business reading."""

# 2 GiB a file and no core dumps; ``ulimit -f`` counts 512 bytes.
_LIMITS = 'ulimit -c 0; ulimit -f 4194304; exec /bin/sh -c "$1"'


class CannotProve(NoReview):
    """The tests could not be run at all."""

    help = "Mend what is named and run `reviewbot prove` again."


class PatchRefused(ReviewbotError):
    """The patch cannot be used."""

    help = "Make it for this commit, with paths below the root, and check it with `git apply --check`."


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. ``stop`` is ``exit``, ``seconds`` or ``output``.

    ``output`` may lack its middle.
    """

    exit_code: int
    stop: str
    seconds: float
    output: bytes


class Sandbox:
    """A scratch folder with the tree of one commit in ``tree``, and a way to run commands there.

    ``passed`` are the variables that the caller names to be handed on. ``bubblewrap`` is the program, or
    None: then nothing but the environment and the caps hold the command.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], passed: Sequence[str]) -> None:
        self.folder, self.tree = folder, folder / "tree"
        self._host = environment
        self._spent = 0
        self._renew()
        self._environment = {
            "PATH": environment.get("PATH", os.defpath),
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "CI": "true",
            **{name: environment[name] for name in passed if name in environment},
        }
        self.bubblewrap = self._find_bubblewrap()

    def _find_bubblewrap(self) -> str | None:
        """bubblewrap where it is installed and the kernel lets it work."""
        program = shutil.which("bwrap", path=self._host.get("PATH", os.defpath))
        if not program:
            return None
        try:
            done = subprocess.run(
                [*self._fence(program), "/bin/sh", "-c", "true"],
                capture_output=True, timeout=20, check=False, env=self._environment,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return program if done.returncode == 0 else None

    def _fence(self, program: str) -> list[str]:
        """bwrap(1): the root to read, the scratch folder to write, fresh /tmp and /run, nothing shared."""
        home = Path(self._host.get("HOME") or "/root")
        hidden: list[str] = []
        for path in (home / name for name in _SECRETS):
            if path.is_dir():
                hidden += ["--tmpfs", str(path)]
            elif path.is_file():
                hidden += ["--ro-bind", "/dev/null", str(path)]
        folder = str(self.folder)
        return [
            program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp",  # noqa: S108
            *hidden, "--bind", folder, folder, "--chdir", str(self.tree), "--",
        ]  # fmt: skip

    def _renew(self) -> None:
        """Empty folders in the place of those that a run may have left its traces in."""
        self._spent += 1
        for name in ("tree", "home", "tmp"):
            if os.path.lexists(self.folder / name):
                # Renamed first: what a test has made undeletable must not stay in the way.
                (self.folder / name).rename(self.folder / f"spent-{self._spent}-{name}")
                shutil.rmtree(self.folder / f"spent-{self._spent}-{name}", ignore_errors=True)
            (self.folder / name).mkdir()

    def fill(self, repository: Repository, commit: Sha) -> tuple[str, ...]:
        """Write a fresh copy of a commit's tree, from git objects alone; returns what was left out.

        Raises CannotProve for a tree that no git would check out, or that is too large.
        """
        self._renew()
        links: list[tuple[Path, bytes]] = []
        left_out: list[str] = []
        total = 0
        for path, entry in repository.entries_at(commit, repository.tree_paths(commit)).items():
            target = self.tree / _checked(path)
            if entry.kind != "blob":
                left_out.append(f"{path} (a submodule)")
                continue
            data = repository.read_object(entry.sha)
            total += len(data)
            if total > COPY_CAP:
                raise CannotProve(f"the tree of {commit[:12]} holds more than {COPY_CAP // 2**30} GiB")
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode == "120000":
                links.append((target, data))
                continue
            mode = 0o755 if entry.mode == "100755" else 0o644
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(target, flags, mode), "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(data)
        for target, data in links:  # last, so that nothing is ever written through one
            target.symlink_to(os.fsdecode(data))
        return tuple(left_out)

    def apply(self, patch: bytes) -> None:
        """Apply a patch to the copy. Raises PatchRefused where git will not."""
        argv = [find_git(), *HARDENED, "apply", "--whitespace=nowarn", "-"]
        variables = {**git_env(self.folder / "home"), "GIT_CEILING_DIRECTORIES": str(self.folder)}
        done = subprocess.run(
            argv, input=patch, capture_output=True, timeout=120, check=False, cwd=self.tree, env=variables
        )
        if done.returncode:
            raise PatchRefused(f"the patch does not apply: {last_line(done.stderr)}")

    def run(self, command: str, seconds: float) -> Ran:
        """Run a shell command in the copy.

        Raises CannotProve where it cannot be started.
        """
        fence = self._fence(self.bubblewrap) if self.bubblewrap else []
        argv = [*fence, "/bin/sh", "-c", _LIMITS, "sh", command]
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                cwd=self.tree, env=self._environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise CannotProve(f"the test command cannot be started: {error.strerror}") from error
        try:
            stop, output = _read(process, started + seconds)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()
        return Ran(process.returncode, stop, round(time.monotonic() - started, 3), output)


def _checked(path: str) -> PurePosixPath:
    """A path of a tree that stays below its root; others exist only in objects that somebody forged."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() in (".git", "git~1") for part in parts) or "\0" in path:
        raise CannotProve(f"the tree holds the path {path!a}, which git does not check out")
    return PurePosixPath(path)


def _read(process: "subprocess.Popen[bytes]", deadline: float) -> tuple[str, bytes]:
    """The output while the process runs; a child that keeps the pipe open does not keep us."""
    assert process.stdout
    head, tail, total = bytearray(), bytearray(), 0
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "seconds", _joined(head, tail, total)
            ended = process.poll() is not None
            if not selector.select(timeout=0 if ended else min(left, 0.2)):
                if ended:
                    break
                continue
            data = os.read(process.stdout.fileno(), 65_536)
            if not data:
                break
            total += len(data)
            room = OUTPUT_KEPT // 2 - len(head)
            head += data[: max(0, room)]
            tail += data[max(0, room) :]
            del tail[: -OUTPUT_KEPT // 2]
            if total > OUTPUT_CAP:
                return "output", _joined(head, tail, total)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "seconds", _joined(head, tail, total)
    return "exit", _joined(head, tail, total)


def _joined(head: bytearray, tail: bytearray, total: int) -> bytes:
    missing = total - len(head) - len(tail)
    return bytes(head) + (b"\n[... %d bytes left out ...]\n" % missing if missing else b"") + bytes(tail)
