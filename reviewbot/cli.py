"""The command line: arguments to a story, a story to text and an exit code."""

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from reviewbot import __version__
from reviewbot.change.events import local_trigger
from reviewbot.change.git import Repository
from reviewbot.change.policy_file import Asked, read_settings
from reviewbot.core import Review, Severity
from reviewbot.engine import will_ask_claude
from reviewbot.errors import OutputError, ReviewbotError
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.files import FORMATS, prepare_folder, render, write_reports
from reviewbot.publish.progress import Progress
from reviewbot.publish.sanitize import one_line
from reviewbot.request import Request
from reviewbot.scan import scan_local
from reviewbot.settings import render_config

EXIT_CODES = """\
exit codes:
  0    pass; or incomplete for a reason that cannot be helped here, where policy lets that be neutral
  1    fail; or incomplete for any other reason
  2    wrong arguments, policy or evidence; credentials missing where they should be
  3    no review was performed
  130  interrupted (128 and the number of the signal)"""


class _Terminated(BaseException):
    """A signal asked the process to end."""


def run() -> None:
    """Run the command line and end the process with the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # A cancelled CI job: leave as from an exception, so that programs end and temporary folders go.
        signal.signal(number, _raise_terminated)
    lost = sys.stdout is None
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as the stream
    code = main(sys.argv[1:])
    sys.exit(max(code, 3) if lost else code)


def _raise_terminated(number: int, _: object) -> None:
    raise _Terminated(number)


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
    except (KeyboardInterrupt, _Terminated) as stop:
        _say("interrupted; nothing was decided.")
        return 128 + (stop.args[0] if isinstance(stop, _Terminated) else signal.SIGINT)
    except OSError as error:
        # The reader of our output went away, or the disk is full: nobody saw the whole review.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"The output could not be written ({(error.strerror or 'unknown reason').lower()}).")
        return 3


def _run_command(arguments: Sequence[str]) -> int:
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # --help, --version, or what argparse has refused
        return int(end.code or 0)
    return int(options.command(options))


def _say(sentence: str) -> None:
    print(f"reviewbot: {one_line(sentence, 2_000)}", file=sys.stderr)  # noqa: T201 - this is the command line


def _review(options: argparse.Namespace) -> int:
    if options.out:
        prepare_folder(options.out)
    journal = Journal()
    request = _request(options)
    return _show(review_change(request, journal, Progress(sys.stderr).step), options, journal)


def _scan(options: argparse.Namespace) -> int:
    if options.out:
        prepare_folder(options.out)
    journal = Journal()
    request = _request(options)
    return _show(scan_local(request, options.since, journal, Progress(sys.stderr).step), options, journal)


def _show(review: Review, options: argparse.Namespace, journal: Journal) -> int:
    unwritten = _write(review, options.out, journal) if options.out else None
    color = options.format == "text" and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    sys.stdout.write(render(review, options.format, width=width, color=color))
    sys.stdout.flush()
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
    from reviewbot.action import run_action  # noqa: PLC0415 - nobody else needs it

    return run_action(os.environ)


def _config(options: argparse.Namespace) -> int:
    request = _request(options)
    with Repository(request.folder) as repository:
        trigger, _ = local_trigger(repository, request.base, request.head)
        settings, _ = read_settings(repository, trigger.policy_sha, request.asked)
    sys.stdout.write(render_config(settings))
    return 0


def _schema(options: argparse.Namespace) -> int:
    if options.document == "report":
        from reviewbot.publish.report import report_json_schema as schema  # noqa: PLC0415
    else:
        from reviewbot.policy_model import policy_json_schema as schema  # noqa: PLC0415
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return 0


def _request(options: argparse.Namespace) -> Request:
    names = ("engine", "fail_on", "on_incomplete", "fail_on_tests", "budget_usd")
    if will_ask_claude(options.engine, os.environ) and options.command is not _config:
        from reviewbot.agents.claude import preload  # noqa: PLC0415 - only where models are asked

        preload()
    return Request(
        folder=options.repo,
        base=getattr(options, "base", None),
        head=options.head,
        sarif=tuple(getattr(options, "sarif", ())),
        junit=tuple(getattr(options, "junit", ())),
        asked=Asked(file=options.policy, overrides={name: getattr(options, name) for name in names}),
        environment=dict(os.environ),
    )


def _given(value: str) -> str:
    """An argument that an unset variable of the caller left empty is refused."""
    if not value:
        raise argparse.ArgumentTypeError("the value is empty")
    return value


def _folder(value: str) -> Path:
    return Path(_given(value))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reviewbot",
        description="Review a change and give a verdict that a gate can trust: pass, fail or incomplete.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reviewbot {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_review(commands)
    _add_scan(commands)
    config = commands.add_parser(
        "config",
        help="show each setting and where its value comes from",
        description="Show each setting and where its value comes from, for the change to be reviewed.",
    )
    _add_change_options(config)
    _add_base_option(config)
    _add_setting_options(config)
    config.set_defaults(command=_config)
    action = commands.add_parser(
        "action",
        help="review as a step of GitHub Actions (what the container runs)",
        description="Review as a step of GitHub Actions: everything comes from the runner's environment.",
    )
    action.set_defaults(command=_action)
    schema = commands.add_parser(
        "schema",
        help="print a JSON Schema",
        description="Print the JSON Schema of report.json, or of the policy file for editors.",
    )
    schema.add_argument("document", choices=("report", "policy"), help="which schema")
    schema.set_defaults(command=_schema)
    return parser


def _add_review(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    review = commands.add_parser(
        "review",
        help="review the change between two commits",
        description="Review the change between two commits of a local repository.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_change_options(review)
    _add_base_option(review)
    _add_evidence_options(review)
    _add_setting_options(review)
    _add_output_options(review)
    review.set_defaults(command=_review)


def _add_scan(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    scan = commands.add_parser(
        "scan",
        help="read the whole tree of a commit, riskiest files first within the budget",
        description="Read the whole tree of a commit, riskiest files first within the budget. A scan reports "
        "what it finds and gates nothing.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_change_options(scan)
    which = scan.add_mutually_exclusive_group()
    which.add_argument("--full", action="store_true", help="read the whole tree (the default)")
    which.add_argument(
        "--since", type=_given, metavar="REV", help="read only what changed since this revision"
    )
    _add_evidence_options(scan)
    _add_setting_options(scan)
    _add_output_options(scan)
    scan.set_defaults(command=_scan)


def _add_evidence_options(parser: argparse.ArgumentParser) -> None:
    evidence = parser.add_argument_group("evidence")
    for name, what in (("--sarif", "SARIF files of any producer"), ("--junit", "JUnit test reports")):
        evidence.add_argument(
            name, type=_given, action="append", default=[], metavar="GLOB", help=f"{what} (repeatable)"
        )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=_folder, metavar="DIR", help="write all report files into this folder")
    output.add_argument(
        "--format", choices=FORMATS, default="text", help="what to print (default: %(default)s)"
    )


def _add_change_options(parser: argparse.ArgumentParser) -> None:
    change = parser.add_argument_group("change")
    change.add_argument(
        "--repo",
        type=_folder,
        default=Path(),
        metavar="DIR",
        help="the repository (default: the current folder's)",
    )
    change.add_argument("--head", metavar="REV", help="the commit to review (default: HEAD)")
    change.add_argument(
        "--policy",
        type=_folder,
        metavar="FILE",
        help="a policy file on disk instead of the one at the base commit",
    )


def _add_base_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base",
        metavar="REV",
        help="compare with where head branched off from this (default: the upstream default branch; the "
        "first parent of head where head is already part of that, or there is none)",
    )


def _add_setting_options(parser: argparse.ArgumentParser) -> None:
    settings = parser.add_argument_group("settings (they beat the policy file)")
    settings.add_argument(
        "--engine", choices=("auto", "claude", "analyzers"), help="who reviews (default: auto)"
    )
    settings.add_argument(
        "--fail-on",
        choices=[str(severity) for severity in Severity],
        metavar="SEVERITY",
        help="block from this severity on: critical, high, medium, low or info (default: high)",
    )
    settings.add_argument(
        "--on-incomplete",
        choices=("fail", "neutral"),
        help="what an incomplete review means where its reason cannot be helped (default: neutral)",
    )
    settings.add_argument(
        "--fail-on-tests", action="store_true", default=None, help="every failed test in --junit blocks"
    )
    settings.add_argument(
        "--budget-usd", type=float, metavar="N", help="most that model calls may cost (default: 2.00)"
    )
