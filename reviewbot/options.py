"""The options of the command line: what each command takes, and the words of its help."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from reviewbot import __version__
from reviewbot.core import Severity
from reviewbot.publish.files import FORMATS
from reviewbot.request import AGENTS
from reviewbot.scan.options import add_scan_options, given
from reviewbot.text import one_line

EXIT_CODES = """\
exit codes:
  0    pass; or incomplete for a reason that cannot be helped here, where policy lets that be neutral
  1    fail; or incomplete for any other reason
  2    wrong arguments, policy or evidence; credentials missing where they should be
  3    no review was performed
  130  interrupted (128 and the number of the signal)"""


class _Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong. What it takes today must not become ambiguous."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """End with 2 and the sentence, without the usage: that is many lines, and `--help` has it."""
        self.exit(2, f"reviewbot: {one_line(message, 500)}. Run `{self.prog} --help` to see what it takes.\n")


def _folder(value: str) -> Path:
    return Path(given(value))


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; ``command`` of its result names the one that was given."""
    parser: argparse.ArgumentParser = _Parser(
        prog="reviewbot",
        description="Review a change and give a verdict that a gate can trust: pass, fail or incomplete.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reviewbot {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_review(commands)
    _add_scan(commands)
    _add_replay(commands)
    _add_prove(commands)
    config = commands.add_parser(
        "config",
        help="show each setting and where its value comes from",
        description="Show each setting and where its value comes from, for the change to be reviewed.",
    )
    _add_change_options(config)
    _add_base_option(config)
    _add_setting_options(config)
    config.set_defaults(command="config")
    doctor = commands.add_parser(
        "doctor",
        help="check credentials, models, token, policy and analyzers",
        description="Check credentials, models, the GitHub token, policy and analyzers. It costs nothing.",
    )
    doctor.add_argument("--repo", type=_folder, default=Path(), metavar="DIR", help="the repository")
    add_helper_option(doctor)
    doctor.set_defaults(command="doctor")
    action = commands.add_parser(
        "action",
        help="review as a step of GitHub Actions (what the container runs)",
        description="Review as a step of GitHub Actions: everything comes from the runner's environment.",
    )
    action.set_defaults(command="action")
    schema = commands.add_parser(
        "schema",
        help="print a JSON Schema",
        description="Print the JSON Schema of report.json, or of the policy file for editors.",
    )
    schema.add_argument("document", choices=("report", "policy"), help="which schema")
    schema.set_defaults(command="schema")
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
    _add_part_options(review)
    _add_proof_options(review)
    review.add_argument(
        "--journal",
        choices=("counts", "full"),
        default="counts",
        help="full: keep in journal.jsonl all that was said, for `reviewbot replay` (default: %(default)s)",
    )
    review.add_argument(
        "--state",
        type=lambda value: Path(given(value)),
        metavar="DIR",
        help="keep in this folder what each month has cost, for `budget-usd-per-month` of the policy",
    )
    review.set_defaults(command="review")


def _add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    replay = commands.add_parser(
        "replay",
        help="judge and report an earlier review again, from its full journal, with no model asked",
        description="Judge and report an earlier review again, from the journal.jsonl of "
        "`reviewbot review --journal full --out DIR`. No model is asked.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.add_argument("journal", type=_folder, metavar="DIR", help="the report folder of that review")
    replay.add_argument("--repo", type=_folder, default=Path(), metavar="DIR", help="the repository")
    _add_output_options(replay)
    replay.set_defaults(command="replay")


def _add_proof_options(parser: argparse.ArgumentParser) -> None:
    proof = parser.add_argument_group("proof of a fix (this runs code of the repository)")
    proof.add_argument(
        "--prove", action="store_true", help="run the tests without and with the fix, if there is one"
    )
    proof.add_argument("--test-command", type=given, metavar="COMMAND", help="what runs the tests")
    proof.add_argument("--yes", action="store_true", help="agree to that beforehand")


def _add_scan(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    scan = commands.add_parser(
        "scan",
        help="read the whole tree of a commit, riskiest files first within the budget",
        description="Read the whole tree of a commit, riskiest files first within the budget. With a "
        "baseline (from --state, or committed) what is new gates.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_change_options(scan)
    add_scan_options(scan)
    _add_evidence_options(scan)
    _add_setting_options(scan)
    _add_output_options(scan)
    _add_part_options(scan)
    scan.set_defaults(command="scan")


def _add_prove(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    prove = commands.add_parser(
        "prove",
        help="run the tests without and with a patch (this runs code of the repository)",
        description="Run a test command in a copy of the repository, first without the patch, then with it. "
        "This runs code of the repository: use it where there is no secret.",
    )
    prove.add_argument("--repo", type=_folder, default=Path(), metavar="DIR", help="the repository")
    prove.add_argument("--head", metavar="REV", help="the commit that the patch is for (default: HEAD)")
    prove.add_argument("--patch", type=_folder, required=True, metavar="FILE", help="the patch to prove")
    prove.add_argument(
        "--test-command", type=given, required=True, metavar="COMMAND", help="what runs the tests"
    )
    prove.add_argument("--junit", type=given, metavar="GLOB", help="where the command leaves JUnit files")
    prove.add_argument(
        "--test", action="append", default=[], metavar="NAME", help="a test the patch must fix (repeatable)"
    )
    prove.add_argument(
        "--seconds", type=float, default=900.0, metavar="N", help="time for each of the two runs"
    )
    prove.add_argument(
        "--sandbox", choices=("auto", "required"), default="auto", help="bubblewrap where present, or always"
    )
    prove.add_argument(
        "--pass-env",
        action="append",
        default=[],
        metavar="NAME",
        help="a variable it may see (repeatable)",
    )
    prove.add_argument("--out", type=_folder, metavar="DIR", help="write prove.json and prove.junit.xml here")
    prove.set_defaults(command="prove")


def _add_evidence_options(parser: argparse.ArgumentParser) -> None:
    evidence = parser.add_argument_group("evidence")
    kinds = (
        ("--sarif", "SARIF files of any producer"),
        ("--junit", "JUnit test reports"),
        ("--log", "logs of test runs"),
    )
    for name, what in kinds:
        evidence.add_argument(
            name, type=given, action="append", default=[], metavar="GLOB", help=f"{what} (repeatable)"
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


def _add_part_options(parser: argparse.ArgumentParser) -> None:
    part = parser.add_argument_group("part (what passes in a part is incomplete as a whole)")
    part.add_argument(
        "--paths",
        type=given,
        action="append",
        default=[],
        metavar="GLOB",
        help="only these files, as in a gitignore file (repeatable)",
    )
    part.add_argument(
        "--agents",
        choices=AGENTS,
        action="append",
        default=[],
        metavar="NAME",
        help=f"ask only this agent: {', '.join(AGENTS)} (repeatable)",
    )


def add_helper_option(parser: "argparse._ActionsContainer") -> None:
    """The option that names a program which prints a token."""
    parser.add_argument(
        "--credential-helper",
        type=given,
        metavar="COMMAND",
        help="a program that prints a token for the Anthropic API (default: REVIEWBOT_CREDENTIAL_HELPER)",
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
    add_helper_option(settings)
    settings.add_argument(
        "--budget-usd", type=float, metavar="N", help="most that model calls may cost (default: 2.00)"
    )
