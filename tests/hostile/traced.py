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
    "link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,lchown,fchownat,mknod,mknodat,connect,sendto,"
    "chdir,fchdir"
)
_CALL = re.compile(r"^(?:\[pid +)?\d*\]? *(\w+)\((.*)\) += (-?\d+|\?)", re.DOTALL)
_PLACE = re.compile(r'(?:AT_FDCWD(?:<([^>]*)>)?|\d+<([^>]*)>)?(?:, )?"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\])')
_OPENED = ("open", "openat", "openat2")
_WRITES = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)")
_INET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')


@dataclass(frozen=True, slots=True)
class Executed:
    """One program that was executed: absolute path, all arguments, the whole environment, and its working
    folder (the one that the process went to itself, else the traced command's).
    """

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return Path(self.program).name


@dataclass(frozen=True, slots=True)
class Traced:
    """The end of a traced run: its exit code and output, and absolute paths and addresses, in order.

    ``executed`` are all tries to execute something; ``opened`` all files that were opened, ``written`` all that were
    opened for writing, made, moved, removed or changed; ``reached`` are (host, port).
    """

    code: int
    stdout: str
    stderr: str
    executed: tuple[Executed, ...]
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
    command = ["strace", "-f", "-qq", "-y", "-v", "-s", "4000", "-e", f"trace={CALLS}", "-e", "signal=none"]
    done = subprocess.run(
        [*command, "-o", str(log), *argv], cwd=cwd, env=dict(env), capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    executed, opened, written, reached = [], [], [], []
    folders: dict[str, str] = {}
    for pid, name, arguments, result in _calls(log.read_text(errors="replace")):
        if name in ("connect", "sendto"):
            reached += [(host, int(port)) for port, host in _INET.findall(arguments)]
            continue
        paths = [_absolute(one or other, path, cwd) for one, other, path in _PLACE.findall(arguments)]
        if name in ("chdir", "fchdir"):
            folders[pid] = paths[0] if paths else arguments.partition("<")[2].rstrip(">")
        elif name.startswith("exec"):
            executed.append(_executed(paths[0], arguments, folders.get(pid, str(cwd))))
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


def _executed(program: str, arguments: str, folder: str) -> Executed:
    lists: list[list[str]] = [[]]
    for word, end in _WORD.findall(arguments):
        if end:
            lists.append([])
        else:
            lists[-1].append(word.encode().decode("unicode_escape"))
    argv, variables = lists[0][1:], lists[1] if len(lists) > 1 else []
    return Executed(
        program, tuple(argv), dict(each.split("=", 1) for each in variables if "=" in each), folder
    )


def _calls(log: str) -> list[tuple[str, str, str, str]]:
    """Every call: process, name, arguments and result; one that was interrupted by another thread's is joined."""
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
            found.append((pid, call[1], call[2], call[3]))
    # A process that another thread's exec ended never came back from its call: it counts all the same.
    return found + [(pid, *said.partition("(")[::2], "?") for pid, said in begun.items()]


def _absolute(folder: str, path: str, cwd: Path) -> str:
    return os.path.normpath(os.path.join(folder or str(cwd), path.encode().decode("unicode_escape")))
