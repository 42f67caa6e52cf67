"""What runs that share a folder have spent on models, month by month (UTC).

A run takes its whole budget out before it asks and puts back what it did not use, so runs side by side
cannot overspend together, and one that was killed counts as what it might have spent.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from reviewbot.earlier import NANO
from reviewbot.state_file import StateFile

FILE_NAME = "spending.sqlite3"
VERSION = 1

_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (number INTEGER PRIMARY KEY, month TEXT NOT NULL, nano INTEGER NOT NULL);
CREATE INDEX runs_by_month ON runs (month);
"""


def _now() -> datetime:
    return datetime.now(UTC)


class MonthLedger(StateFile):
    """The ledger of one repository in ``folder``, for one run.

    Raises:
        StateError: here and in every method, where the file cannot be read or written, or is another's.
    """

    def __init__(self, folder: Path, repository: str, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._number: int | None = None
        super().__init__(folder / FILE_NAME, repository, _TABLES, VERSION)

    def draw(self, usd: float, cap_usd: float | None) -> float:
        """Take out so many dollars, or what the cap leaves; returns what this month had cost before."""
        month = self._clock().astimezone(UTC).strftime("%Y-%m")
        with self._told(), self._database as database:
            # Two runs that start together must not both take out what is left.
            database.execute("BEGIN IMMEDIATE")
            total = "SELECT coalesce(sum(nano), 0) FROM runs WHERE month = ?"
            before: int = database.execute(total, (month,)).fetchone()[0]
            left = usd * NANO if cap_usd is None else max(0.0, min(usd * NANO, cap_usd * NANO - before))
            insert = "INSERT INTO runs (month, nano) VALUES (?, ?)"
            self._number = database.execute(insert, (month, round(left))).lastrowid
        return before / NANO

    def settle(self, usd: float) -> None:
        """Replace what was taken out by what was spent at most."""
        with self._told(), self._database as database:
            update = "UPDATE runs SET nano = ? WHERE number = ?"
            database.execute(update, (round(usd * NANO), self._number))
