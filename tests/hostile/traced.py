"""What a process and its children really did: executed, written and connected to, as strace saw it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "execve,execveat,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,"
    "link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,lchown,fchownat,mknod,mknodat,connect,sendto"
)
_CALL = re.compile(r"^(?:\[pid +)?\d*\]? *(\w+)\((.*)\) += (-?\d+|\?)", re.DOTALL)
_PLACE = re.compile(r'(?:AT_FDCWD(?:<([^>]*)>)?|\d+<([^>]*)>)?(?:, )?"((?:[^"\\]|\\.)*)"')
_OPENED = ("open", "openat", "openat2")
_WRITES = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)")
_INET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')


@dataclass(frozen=True, slots=True)
class Traced:
    """The end of a traced run: its exit code and output, and absolute paths and addresses, in order.

    ``executed`` are (program, arguments); ``opened`` all files that were opened, ``written`` all that were
    opened for writing, made, moved, removed or changed; ``reached`` are (host, port).
    """

    code: int
    stdout: str
    stderr: str
    executed: tuple[tuple[str, str], ...]
    opened: tuple[str, ...]
    written: tuple[str, ...]
    reached: tuple[tuple[str, int], ...]


def why_not() -> str | None:
    """Why nothing can be traced here, or None."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "strace may not trace here" if tried.returncode else None


def trace(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Traced:
    """Run a command below strace; ``log`` takes what it writes."""
    command = ["strace", "-f", "-qq", "-y", "-s", "400", "-e", f"trace={CALLS}", "-e", "signal=none"]
    done = subprocess.run(
        [*command, "-o", str(log), *argv], cwd=cwd, env=dict(env), capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    executed, opened, written, reached = [], [], [], []
    for name, arguments, result in _calls(log.read_text(errors="replace")):
        if name in ("connect", "sendto"):
            reached += [(host, int(port)) for port, host in _INET.findall(arguments)]
            continue
        paths = [_absolute(one or other, path, cwd) for one, other, path in _PLACE.findall(arguments)]
        if name.startswith("exec"):
            executed.append((paths[0], arguments))
        elif name in _OPENED and not _WRITES.search(arguments):
            opened += paths[:1] if not result.startswith("-") else []
        else:
            written += paths[: 2 if "rename" in name or "link" in name else 1]
    return Traced(
        done.returncode,
        done.stdout,
        done.stderr,
        tuple(executed),
        tuple(opened),
        tuple(written),
        tuple(reached),
    )


def _calls(log: str) -> list[tuple[str, str, str]]:
    """Every call with its arguments and result; one that was interrupted by another thread's is joined."""
    begun: dict[str, str] = {}
    found = []
    for line in log.split("\n"):
        pid, _, said = line.partition(" ")
        said = said.strip()
        if said.endswith("<unfinished ...>"):
            begun[pid] = said.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>", said)
        if resumed:
            said = begun.pop(pid, "") + said[resumed.end() :]
        call = _CALL.match(said)
        if call:
            found.append((call[1], call[2], call[3]))
    # A process that another thread's exec ended never came back from its call: it counts all the same.
    return found + [(said.partition("(")[0], said.partition("(")[2], "?") for said in begun.values()]


def _absolute(folder: str, path: str, cwd: Path) -> str:
    return os.path.normpath(os.path.join(folder or str(cwd), path.encode().decode("unicode_escape")))
