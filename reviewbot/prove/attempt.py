"""One run of the test command in the copy, and what it left: JUnit files or an output that is known."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from reviewbot.errors import EvidenceError, UsageError
from reviewbot.evidence.files import FILE_CAP
from reviewbot.evidence.junit import JunitReport, parse_junit
from reviewbot.evidence.logs.read import parse_log
from reviewbot.evidence.paths import TreePaths
from reviewbot.prove.result import Attempt
from reviewbot.prove.sandbox import Ran, Sandbox
from reviewbot.text import one_line


def run_tests(
    command: str, sandbox: Sandbox, paths: Sequence[str], *, seconds: float, junit: str | None
) -> Attempt:
    """Run the command once. Reports that stood there before are taken away: they tell of another run.

    ``paths`` are those of the tree; ``junit`` is a pattern below it, or None to read the output. Raises
    CannotProve where the shell cannot be started.
    """
    for report in _reports(junit, sandbox):
        with suppress(OSError):
            report.unlink()
    ran = sandbox.run(command, seconds)
    tree = TreePaths(paths, [str(sandbox.tree)])
    output = ran.output.decode("utf-8", "replace")
    if junit is None:
        return _of_log(ran, output, tree)
    return _of_reports(ran, output, tree, _reports(junit, sandbox), junit)


def _of_reports(ran: Ran, output: str, tree: TreePaths, reports: Sequence[Path], junit: str) -> Attempt:
    where = f"nothing matches {one_line(junit, 200)} in the root of the copy that they ran in"
    unread = "" if reports else f"wrote no JUnit file: {where}"
    parsed = []
    for report in reports:
        name = one_line(report.name, 200)
        try:
            parsed.append(parse_junit(_read_report(report), report.name, tree))
        except (EvidenceError, OSError):
            unread = f"wrote the JUnit file {name}, which cannot be read"
            break
        if parsed[-1].unfinished:
            unread = f"wrote the JUnit file {name}, which is not finished"
            break
    if unread:
        return Attempt(ran.exit_code, ran.stop, ran.seconds, "", output=output, unread=unread)
    return _to_run(ran, "junit", parsed, output)


def _of_log(ran: Ran, output: str, tree: TreePaths) -> Attempt:
    try:
        parsed = parse_log(ran.output, "the output", tree)
    except EvidenceError:
        parsed = None
    if parsed is None or parsed.unfinished:
        unread = "left no output that is known, and no JUnit file was named"
        return Attempt(ran.exit_code, ran.stop, ran.seconds, "", output=output, unread=unread)
    return _to_run(ran, "log", [parsed], output)


_NO_PROGRAM = {127: "found no program of that name", 126: "may not run a program that it names"}
"""What the shell says by exit codes of its own (POSIX.1-2024, Shell Command Language, 2.8.2)."""


def check_program(run: Attempt, command: str) -> None:
    """Raise UsageError where nothing ran: no test spoke, and the shell ended with a code of its own."""
    why = _NO_PROGRAM.get(run.exit_code)
    if why and run.stop == "exit" and not run.source:
        raise UsageError(
            f"The test command `{one_line(command, 200)}` ran no test: the shell {why} ({run.exit_code}).",
            help="Name a program that is installed here with --test-command, or the path of one.",
        )


def _to_run(
    ran: Ran, source: Literal["junit", "log"], reports: Sequence[JunitReport], output: str
) -> Attempt:
    return Attempt(
        exit_code=ran.exit_code,
        stop=ran.stop,
        seconds=ran.seconds,
        source=source,
        tests=sum(report.tests for report in reports),
        skipped=sum(report.skipped for report in reports),
        failed=tuple(
            dict.fromkeys(
                item.title.removesuffix(" failed") for report in reports for item in report.evidence
            )
        ),
        output=output,
    )


def _reports(junit: str | None, sandbox: Sandbox) -> list[Path]:
    """The files of the pattern that lie in the copy itself: the tests may have put a link there."""
    if junit is None:
        return []
    found = sorted(sandbox.tree.glob(junit))
    return [path for path in found if path.is_file() and path.resolve().is_relative_to(sandbox.tree)]


def _read_report(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_CAP + 1)
