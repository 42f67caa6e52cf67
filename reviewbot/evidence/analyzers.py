"""Run the analyzers on a change's head files, isolated from everything in the change.

The only door to analyzer subprocesses. Files reach the tools under generated names in a fresh folder;
the tools run in an empty folder, with an allow-listed environment, a time limit and an output cap.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import IO

from reviewbot.core import ChangeSet, Evidence, FileChange, Mask, Rejected, Sha
from reviewbot.errors import NoReview, UsageError
from reviewbot.evidence.hadolint import scan_hadolint
from reviewbot.evidence.ruff import scan_ruff
from reviewbot.evidence.secrets import scan_secrets
from reviewbot.evidence.sources import AnalyzerCall, Completed, Report, Source, parse_source
from reviewbot.evidence.zizmor import scan_zizmor
from reviewbot.settings import ANALYZERS

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
GROUP_BYTES = 16 * 1024 * 1024
"""Head text that is held at once, unless one file is larger; in memory it takes four to six times as much."""
WORKERS = 2


@dataclass(frozen=True, slots=True)
class AnalyzerRun:
    """What the analyzers said, and what they read.

    ``scanned`` maps a path to the analyzers whose rules ran on it; ``failed`` maps a path to the reason
    why an analyzer that should have read it did not; ``runs`` are all calls, for the journal. ``masks`` are
    places of secrets on the head lines of a path, beyond those of the evidence: nothing may show them.
    """

    evidence: tuple[Evidence, ...]
    scanned: Mapping[str, tuple[str, ...]]
    failed: Mapping[str, str]
    rejected: tuple[Rejected, ...]
    runs: tuple[AnalyzerCall, ...]
    masks: Mapping[str, tuple[Mask, ...]] = field(default_factory=dict)


def run_analyzers(
    changes: ChangeSet,
    read_blob: Callable[[Sha], bytes],
    *,
    names: Collection[str] = ANALYZERS,
    excluded: Collection[str] = (),
    seconds: float = 120,
    program_folders: Sequence[Path] | None = None,
) -> AnalyzerRun:
    """Run the named analyzers side by side on the head files of a change.

    ``excluded`` paths are searched for secrets of a known format only, and are not in ``scanned``.
    ``seconds`` bounds the whole run. ``program_folders`` replaces the folders programs are looked up in.
    Raises UsageError for an analyzer that does not exist, and whatever ``read_blob`` raises.
    """
    unknown = sorted(set(names) - set(ANALYZERS))
    if unknown:
        raise UsageError(
            f"There is no analyzer named {unknown[0]!r}.", help=f"Choose from {', '.join(ANALYZERS)}."
        )
    deadline = time.monotonic() + seconds

    def run(sources: Sequence[Source]) -> AnalyzerRun:
        return _run_group(sources, read_blob, names, (seconds, deadline), program_folders)

    # map, unlike a loop, lets go of one group before it asks for the next
    return _join(list(map(run, _read_groups(changes, read_blob, frozenset(excluded)))))


def _run_group(
    sources: Sequence[Source],
    read_blob: Callable[[Sha], bytes],
    names: Collection[str],
    limit: tuple[float, float],
    program_folders: Sequence[Path] | None,
) -> AnalyzerRun:
    seconds, deadline = limit
    with tempfile.TemporaryDirectory(prefix="reviewbot-", ignore_cleanup_errors=True) as folder:
        folders = _trusted_folders() if program_folders is None else tuple(program_folders)
        bench = _Bench(Path(folder).resolve(), folders, deadline, seconds)
        scans: dict[str, Callable[[], Report]] = {
            # the slowest to start goes first
            "detect-secrets": lambda: scan_secrets(sources, bench),
            "ruff": lambda: scan_ruff(sources, bench, read_blob),
            "zizmor": lambda: scan_zizmor(sources, bench),
            "hadolint": lambda: scan_hadolint(sources, bench),
        }
        is_large = sum(len(line) for source in sources for line in source.lines) > GROUP_BYTES
        with ThreadPoolExecutor(1 if is_large else WORKERS) as pool:
            futures = {name: pool.submit(scan) for name, scan in scans.items() if name in names}
            try:
                wait(futures.values())
            except BaseException:
                # A signal: the programs end at once, and only then may their folder go.
                bench.close()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        reports: dict[str, Report] = {name: futures[name].result() for name in ANALYZERS if name in futures}
    return _merge(reports, sources)


def _join(runs: Sequence[AnalyzerRun]) -> AnalyzerRun:
    """The runs of all groups as one, each analyzer's evidence together and numbered from 1."""
    every = sorted(
        (item for run in runs for item in run.evidence), key=lambda item: ANALYZERS.index(item.tool)
    )
    numbers: dict[str, count[int]] = {name: count(1) for name in ANALYZERS}
    return AnalyzerRun(
        tuple(replace(item, id=f"{item.tool}-{next(numbers[item.tool])}") for item in every),
        {path: by for run in runs for path, by in run.scanned.items()},
        {path: why for run in runs for path, why in run.failed.items()},
        tuple(item for run in runs for item in run.rejected),
        tuple(call for run in runs for call in run.runs),
        {path: masks for run in runs for path, masks in run.masks.items()},
    )


def _read_groups(
    changes: ChangeSet, read_blob: Callable[[Sha], bytes], excluded: frozenset[str]
) -> Iterator[tuple[Source, ...]]:
    """Head files in the order of the change, so many at a time as fit into GROUP_BYTES; one at least."""
    group: list[Source] = []
    held = 0
    for change in changes.files:
        if change.head_blob is None or not _has_text_to_scan(change):
            continue
        blob = read_blob(change.head_blob)
        if group and held + len(blob) > GROUP_BYTES:
            yield tuple(group)
            group, held = [], 0
        group.append(parse_source(change, blob, excluded=change.path in excluded))
        held += len(blob)
        del blob
    if group:
        yield tuple(group)


def _has_text_to_scan(change: FileChange) -> bool:
    """Nothing to scan: deletions, pure renames and mode changes, submodules, binaries, omitted files."""
    touched = bool(change.added or change.deleted or change.gaps)
    return touched and not (change.is_submodule or change.is_binary or change.omitted)


def _merge(reports: Mapping[str, Report], sources: Sequence[Source]) -> AnalyzerRun:
    scanned: dict[str, tuple[str, ...]] = {}
    failed: dict[str, str] = {}
    for source in sources:
        by = tuple(name for name, report in reports.items() if source.path in report.read)
        if by and not source.excluded:
            scanned[source.path] = by
        why = [report.failed[source.path] for report in reports.values() if source.path in report.failed]
        if why:
            failed[source.path] = "; ".join(why)
    evidence: list[Evidence] = []
    for report in reports.values():
        ordered = sorted(report.evidence, key=_place_in_change({s.path: n for n, s in enumerate(sources)}))
        evidence += ordered
    return AnalyzerRun(
        tuple(evidence),
        scanned,
        failed,
        tuple(item for report in reports.values() for item in report.rejected),
        tuple(item for report in reports.values() for item in report.calls),
        {path: masks for report in reports.values() for path, masks in report.masks.items()},
    )


def _place_in_change(order: Mapping[str, int]) -> Callable[[Evidence], tuple[int, int, int, str]]:
    def place(item: Evidence) -> tuple[int, int, int, str]:
        assert item.location is not None
        where = item.location
        return order[where.path], where.start_line, where.end_line, item.rule

    return place


def _trusted_folders() -> tuple[Path, ...]:
    """This interpreter's scripts first, then absolute PATH entries outside the current folder."""
    scripts = Path(sysconfig.get_path("scripts"))
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:  # it was deleted, so what stands outside it cannot be told
        return (scripts,)
    listed = (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)
    outside = (entry for entry in listed if entry.is_absolute() and not entry.resolve().is_relative_to(here))
    return (scripts, *outside)


class _Bench:
    """The folder and the rules of one run."""

    def __init__(self, folder: Path, programs: Sequence[Path], deadline: float, limit: float) -> None:
        self._folder, self._programs, self._deadline, self._limit = folder, programs, deadline, limit
        self._numbers = count(1)
        self._home, self._empty = folder / "home", folder / "empty"
        self._home.mkdir()
        self._empty.mkdir()
        self._lock = threading.Lock()
        self._closed = False
        self._running: set[subprocess.Popen[bytes]] = set()

    def close(self) -> None:
        """End every program, and let none start any more."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill_group(process)

    def _check_open(self) -> None:
        if self._closed:
            raise NoReview("The analyzers were stopped.")

    def place(self, name: str, text: str) -> Path:
        self._check_open()
        file = self._folder / f"{next(self._numbers):06d}" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(text.encode("utf-8", "replace"))
        return file

    def call(self, program: str, arguments: Sequence[str]) -> Completed:
        executable = self._find(program)
        if executable is None:
            return Completed(b"", "", None, 0.0, "is not installed", hopeless=True)
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            return Completed(b"", "", None, 0.0, self._too_slow(), hopeless=True)
        return self._run([executable, *arguments], remaining)

    def _find(self, program: str) -> str | None:
        if program == sys.executable:
            return program
        return shutil.which(program, path=os.pathsep.join(map(str, self._programs)) or os.devnull)

    def _too_slow(self) -> str:
        return f"did not finish within {self._limit:g} seconds"

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join(map(str, self._programs)),
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "RUST_BACKTRACE": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _start(self, argv: Sequence[str], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
        with self._lock:
            self._check_open()
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self._empty,
                env=self._environment(),
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _run(self, argv: Sequence[str], seconds: float) -> Completed:
        started = time.monotonic()
        with tempfile.TemporaryFile(dir=self._home) as errors:
            try:
                process = self._start(argv, errors)
            except OSError as error:
                return Completed(b"", "", None, 0.0, f"cannot be started: {error.strerror}", hopeless=True)
            try:
                output, expired = _read_output(process, seconds)
            finally:
                self._running.discard(process)
            errors.seek(0)
            said = errors.read(MAX_ERROR_BYTES).decode("utf-8", "replace")
        done = Completed(output, said, process.returncode, time.monotonic() - started)
        if expired:
            return replace(done, problem=self._too_slow(), hopeless=True)
        if len(output) > MAX_OUTPUT_BYTES:
            return replace(done, stdout=b"", problem=f"printed more than {MAX_OUTPUT_BYTES >> 20} MB")
        return done


def _read_output(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[bytes, bool]:
    """Standard output up to one byte over the cap, and whether the time limit ended the process."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill_group(process)

    timer = threading.Timer(seconds, expire)
    timer.start()
    with process:
        assert process.stdout is not None
        try:
            output = process.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(output) > MAX_OUTPUT_BYTES:
                _kill_group(process)
            process.wait()
        finally:
            timer.cancel()
            _kill_group(process)
    return output, expired.is_set()


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End the process and whatever it started; the process leads a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
