"""What may be asked of a scan beyond what is asked of a review."""

import argparse
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

LAST = "last"
"""The word that ``--since`` takes for the last scan that finished."""


_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0}
LONGEST_SECONDS = 24 * 3_600.0
"""After a day a batch has ended or expired."""

WAIT_SECONDS = 15 * 60.0
"""A runner that waits costs money, too."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """``state``: the folder of what earlier scans left. ``full``: read again what they have read.

    ``out``: the folder for ``baseline.json``. ``batch``: the agents are asked in batches, for which one run
    waits at most ``wait_seconds``. ``key`` signs what the state holds; nothing else there counts then.
    """

    state: Path | None = None
    full: bool = False
    out: Path | None = None
    batch: bool = True
    wait_seconds: float = WAIT_SECONDS
    key: bytes | None = field(default=None, repr=False)


DEFAULTS = ScanOptions()


def add_scan_options(parser: argparse.ArgumentParser) -> None:
    """The arguments ``--full``, ``--since``, ``--state``, ``--dry-run``, ``--batch`` and ``--max-wait``."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--full",
        action="store_true",
        help="let the agents read every file again, also those that an earlier scan has read",
    )
    which.add_argument(
        "--since",
        type=given,
        metavar="REV",
        help="read only what changed since this revision, and gate nothing; `last`: the whole tree, where "
        "what the scans in --state have read costs nothing (the default)",
    )
    parser.add_argument(
        "--state",
        type=lambda value: Path(given(value)),
        metavar="DIR",
        help="keep in this folder what was read and found, so that the next scan pays only for what changed "
        "and fails on what is new",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only report: use and leave neither --state nor a baseline, as a scan of a part does, too",
    )
    parser.add_argument(
        "--batch",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask the agents in batches, at half the price (the default); zero data retention does not cover "
        "batches",
    )
    parser.add_argument(
        "--max-wait",
        type=parse_duration,
        default=WAIT_SECONDS,
        metavar="DURATION",
        help="how long to wait for batches, such as 90s, 15m or 2h (default: 15m); then the scan ends "
        "incomplete, and the next one with the same --state goes on from there",
    )


def parse_scan_options(options: argparse.Namespace) -> ScanOptions:
    """The options of a parser that ``add_scan_options`` has filled, and its ``--out`` where it has one.

    A dry run and one of a part keep nothing.
    """
    keeps = not (options.dry_run or getattr(options, "paths", ()) or getattr(options, "agents", ()))
    return ScanOptions(
        state=options.state if keeps else None,
        full=options.full,
        out=getattr(options, "out", None) if keeps else None,
        batch=options.batch,
        wait_seconds=options.max_wait,
    )


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m``, ``2h`` or ``0``.

    Raises:
        argparse.ArgumentTypeError: it is none, or longer than a batch can take.
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smh])|0", text, re.ASCII)
    seconds = float(found[1] or 0) * _SECONDS[found[2] or "s"] if found else math.inf
    if seconds > LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!a} is no duration from 0 to 24h, such as 90s, 15m or 2h")
    return seconds


def given(value: str) -> str:
    """An argument that an unset variable of the caller left empty is refused."""
    if not value:
        raise argparse.ArgumentTypeError("the value is empty")
    return value
