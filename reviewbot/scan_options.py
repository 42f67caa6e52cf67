"""What may be asked of a scan beyond what is asked of a review."""

import argparse
from dataclasses import dataclass
from pathlib import Path

LAST = "last"
"""The word that ``--since`` takes for the last scan that finished."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """``state``: the folder of what earlier scans left. ``full``: read again what they have read.

    ``out``: the folder for ``baseline.json``.
    """

    state: Path | None = None
    full: bool = False
    out: Path | None = None


DEFAULTS = ScanOptions()


def add_scan_options(parser: argparse.ArgumentParser) -> None:
    """The arguments ``--full``, ``--since`` and ``--state``."""
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


def parse_scan_options(options: argparse.Namespace) -> ScanOptions:
    """The options of a parser that ``add_scan_options`` has filled, and its ``--out`` where it has one."""
    return ScanOptions(options.state, options.full, getattr(options, "out", None))


def given(value: str) -> str:
    """An argument that an unset variable of the caller left empty is refused."""
    if not value:
        raise argparse.ArgumentTypeError("the value is empty")
    return value
