"""The command line: arguments to a story, a story to text and an exit code."""

import argparse
import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reviewbot.change.events import local_trigger
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked, read_settings
from reviewbot.core import Review
from reviewbot.credentials import HELPER
from reviewbot.engine import is_ci, will_ask_claude
from reviewbot.errors import OutputError, ReviewbotError, UsageError
from reviewbot.journal import PROVING, Journal
from reviewbot.options import build_parser
from reviewbot.pipeline import review_change
from reviewbot.policy.config_text import render_config
from reviewbot.policy.patterns import parse_patterns
from reviewbot.publish.files import prepare_folder, render, write_reports
from reviewbot.publish.progress import Progress
from reviewbot.publish.sanitize import one_line
from reviewbot.publish.summary import conclusion, headline
from reviewbot.request import Request
from reviewbot.scan.options import parse_scan_options
from reviewbot.scan.run import scan_local
from reviewbot.signals import Terminated, raise_on_signals
from reviewbot.steps import Step
from reviewbot.telemetry.spans import Telemetry, open_telemetry, run_of, tell_verdict
from reviewbot.verdict.part import mark_part

_COLLECT_AFTER = 20_000
"""New objects before Python looks for cycles. Its 700 cost a tenth of the start: modules are few cycles."""


def run() -> None:
    """Run the command line and end the process with the exit code."""
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    raise_on_signals()
    lost = sys.stdout is None
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as the stream
    code = main(sys.argv[1:])
    if lost:
        _say("The output could not be written (standard output is closed).")
        code = max(code, 3)
    gc.freeze()  # else the end searches all that was imported for cycles: a third of a second with the SDK
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code is the row of README.md's table."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run_command(arguments)
        sys.stdout.flush()
        return code
    except ReviewbotError as error:
        _say(error.sentences)
        return error.exit_code
    except KeyboardInterrupt as stop:  # Terminated is one
        _say("interrupted; nothing was decided.")
        return 128 + (stop.number if isinstance(stop, Terminated) else signal.SIGINT)
    except OSError as error:
        # The reader of our output went away, or the disk is full: nobody saw the whole review.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"The output could not be written ({(error.strerror or 'unknown reason').lower()}).")
        return 3


def _run_command(arguments: Sequence[str]) -> int:
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as end:  # --help, --version, or what argparse has refused
        return int(end.code or 0)
    return _COMMANDS[options.command](options)


def _say(sentence: str) -> None:
    try:
        print(f"reviewbot: {one_line(sentence, 2_000)}", file=sys.stderr)  # noqa: T201 - this is the command line
    except OSError:  # the exit code must come out all the same, and Python would try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _review(options: argparse.Namespace) -> int:
    if options.journal == "full":
        _check_full_journal(options.out)
        if options.paths or options.agents:
            raise UsageError("`--journal full` is for the review of a whole change.", help="Leave it out.")
    if not options.prove:
        if options.test_command or options.yes:
            raise UsageError("Without --prove no test is run.", help="Add --prove, or leave out the rest.")
        return _report(options, review_change)
    from reviewbot.prove.review import ask_consent, prove_review  # noqa: PLC0415 - as above
    from reviewbot.prove.run import ProveRequest  # noqa: PLC0415 - nobody else runs code

    if not options.test_command:
        raise UsageError(
            "--prove needs the command of the tests", help="Name it with --test-command COMMAND."
        )
    ask_consent(options.test_command, sys.stderr, sys.stdin, is_given=options.yes)

    def read(request: Request, journal: Journal, step: Step) -> Review:
        def again(told: tuple[str, str], usd: float) -> Review:
            asked = replace(request.asked, overrides={**request.asked.overrides, "budget_usd": usd})
            once_more = replace(request, asked=asked, agents=("test_fix",), told=(*request.told, told))
            return review_change(once_more, journal, step)

        review = review_change(request, journal, step)
        head, out = review.trigger.head_sha, options.out
        proving = ProveRequest(Path(), options.test_command, options.repo, head, out=out)
        journal.write(PROVING)
        with step("proving the fix"):
            return prove_review(review, proving, os.environ, again)

    return _report(options, read)


def _check_full_journal(out: Path | None) -> None:
    """Raise UsageError where a journal with file content would go nowhere, or to others."""
    if out is None:
        raise UsageError("`--journal full` has nowhere to be kept.", help="Name a folder with --out DIR.")
    if is_ci(os.environ):
        raise UsageError(
            "`--journal full` holds file content and whatever secrets are in it, so CI does not keep it.",
            help="Leave it out; use it on a machine of your own.",
        )


def _replay(options: argparse.Namespace) -> int:
    from reviewbot.replay import replay_review  # noqa: PLC0415 - nobody else needs it

    if options.out and options.out.resolve() == options.journal.resolve():
        raise UsageError("The journal would be replaced by its replay.", help="Name another --out DIR.")
    journal, step = Journal(), Progress(sys.stderr).step
    review, decided = replay_review(options.journal, options.repo, os.environ, journal, step)
    if options.out:
        prepare_folder(options.out)
    code = _show(review, options, journal)
    if review.verdict.conclusion != decided:
        _say(f"the run itself had decided {decided!r}: the rules have changed since, or the journal has.")
    return code


def _scan(options: argparse.Namespace) -> int:
    return _report(
        options,
        lambda request, journal, step: scan_local(
            request, options.since, journal, step, parse_scan_options(options)
        ),
    )


def _report(options: argparse.Namespace, read: Callable[[Request, Journal, Step], Review]) -> int:
    """Let ``read`` make the review, write it and print it; a signal that ends it leaves the reports, too."""
    if options.out:
        prepare_folder(options.out)
    with open_telemetry(os.environ, _say) as telemetry:
        return _read_and_show(options, read, telemetry)


def _read_and_show(
    options: argparse.Namespace, read: Callable[[Request, Journal, Step], Review], telemetry: Telemetry
) -> int:
    journal = Journal(is_full=getattr(options, "journal", "") == "full", telemetry=telemetry)
    request = _request(options)
    try:
        with telemetry.watch(run_of(options.command)) as operation:
            review = read(request, journal, Progress(sys.stderr).step)
            review = mark_part(review) if request.paths or request.agents else review
            tell_verdict(operation, review.verdict)
    except Terminated as stop:
        if options.out and stop.review:
            _write(stop.review, options.out, journal)
        raise
    return _show(review, options, journal)


def _show(review: Review, options: argparse.Namespace, journal: Journal) -> int:
    unwritten = _write(review, options.out, journal) if options.out else None
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    color = options.format == "text" and sys.stdout.isatty() and not plain
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    sys.stdout.write(render(review, options.format, width=width, color=color))
    sys.stdout.flush()
    if options.format not in ("text", "markdown"):  # the log of a CI job would say nothing of why it is red
        _say(f"{conclusion(review)}: {headline(review)}.")
    if unwritten:
        _say(unwritten.sentences)
        return max(review.verdict.exit_code, unwritten.exit_code)
    return review.verdict.exit_code


def _write(review: Review, folder: Path, journal: Journal) -> OutputError | None:
    """Write the reports before anything is printed: who reads our output may go away."""
    try:
        write_reports(review, folder, journal.data())
    except OutputError as error:
        return error
    return None


def _action(_: argparse.Namespace) -> int:
    from reviewbot.action.entrypoint import run_action  # noqa: PLC0415 - nobody else needs it

    return run_action(os.environ)


def _prove(options: argparse.Namespace) -> int:
    from reviewbot.prove.run import ProveRequest, run_prove  # noqa: PLC0415 - nobody else runs code

    request = ProveRequest(
        patch=options.patch,
        command=options.test_command,
        repo=options.repo,
        head=options.head,
        junit=options.junit,
        tests=tuple(options.test),
        seconds=options.seconds,
        sandbox=options.sandbox,
        passed=tuple(options.pass_env),
        out=options.out,
    )
    return run_prove(request, os.environ)


def _doctor(options: argparse.Namespace) -> int:
    from reviewbot.doctor import run_doctor  # noqa: PLC0415 - it brings the SDK and the GitHub client

    return run_doctor(_environment(options), options.repo, sys.stdout)


def _config(options: argparse.Namespace) -> int:
    from reviewbot.github.here import shared_policy_here  # noqa: PLC0415 - nobody else needs it

    request = _request(options)
    shared = shared_policy_here(os.environ)
    with Repository(request.folder) as repository:
        trigger, _ = local_trigger(repository, request.base, request.head)
        settings, _ = read_settings(repository, trigger.policy_sha, replace(request.asked, shared=shared))
    sys.stdout.write(f"{render_config(settings)}{shared.said}\n")
    return 0


def _schema(options: argparse.Namespace) -> int:
    if options.document == "report":
        from reviewbot.publish.report import report_json_schema as schema  # noqa: PLC0415
    else:
        from reviewbot.policy.model import policy_json_schema as schema  # noqa: PLC0415
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return 0


def _request(options: argparse.Namespace) -> Request:
    names = ("engine", "fail_on", "on_incomplete", "fail_on_tests", "budget_usd")
    environment = _environment(options)
    if will_ask_claude(options.engine, environment) and options.command != "config":
        from reviewbot.agents.api.claude import preload  # noqa: PLC0415 - only where models are asked

        preload()
    return Request(
        folder=options.repo,
        base=getattr(options, "base", None),
        head=options.head,
        sarif=tuple(getattr(options, "sarif", ())),
        junit=tuple(getattr(options, "junit", ())),
        logs=tuple(getattr(options, "log", ())),
        agents=tuple(dict.fromkeys(getattr(options, "agents", ()))),
        paths=parse_patterns(getattr(options, "paths", ()), "--paths"),
        asked=Asked(file=options.policy, overrides={name: getattr(options, name) for name in names}),
        environment=environment,
        state=getattr(options, "state", None),
    )


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """The process's environment, with the credential helper of the command line."""
    named = {HELPER: options.credential_helper} if options.credential_helper else {}
    return {**os.environ, **named}


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "review": _review,
    "scan": _scan,
    "replay": _replay,
    "prove": _prove,
    "config": _config,
    "doctor": _doctor,
    "action": _action,
    "schema": _schema,
}
