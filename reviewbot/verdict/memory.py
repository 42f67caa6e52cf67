"""The one door to sqlite3: what a repository's scans leave for the next one, in a folder of the user's.

What stands here saves money and tells what is new. Every change is one transaction, so a run that is
killed leaves either the state before it or the one after it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reviewbot.core import Sha
from reviewbot.errors import ReviewbotError
from reviewbot.verdict.baseline import Baseline, parse_baseline, render_baseline

if TYPE_CHECKING:
    import sqlite3

FILE_NAME = "scan.sqlite3"
VERSION = 1
LOCK_SECONDS = 5.0
KEYS_PER_QUERY = 500
MOST_KEPT = 200_000
"""Readings kept; the oldest go first."""

_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE scans (number INTEGER PRIMARY KEY, sha TEXT NOT NULL, time TEXT NOT NULL);
CREATE TABLE readings (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, reading TEXT NOT NULL);
"""


class StateError(ReviewbotError):
    """The state of earlier scans cannot be used."""

    help = (
        "Name another folder with --state, or remove this one to start anew: the next scan then reads "
        "everything again and takes what it finds as known."
    )


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last finished scan: its commit, when (ISO 8601, UTC), whether it had a committed baseline."""

    sha: Sha
    time: str
    had_file: bool


class ScanMemory:
    """The state of one repository's scans in ``folder``, which is made where it is missing.

    Raises:
        StateError: here and in every method, where the file cannot be read or written, or is another's.
    """

    def __init__(self, folder: Path, repository: str) -> None:
        self._where = str(folder / FILE_NAME)
        with self._told():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = _connect(folder / FILE_NAME)
            try:
                self._prepare(repository)
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def last_scan(self) -> LastScan | None:
        """The last scan that finished, or None."""
        with self._told():
            row = self._database.execute(
                "SELECT sha, time FROM scans ORDER BY number DESC LIMIT 1"
            ).fetchone()
        return LastScan(row[0], row[1], self._get("had_file") == b"1") if row else None

    def baseline(self) -> Baseline | None:
        """What the last finished scan left. Raises BadBaseline, too."""
        data = self._get("baseline")
        return None if data is None else parse_baseline(data, self._where)

    def finish(self, baseline: Baseline, *, had_file: bool) -> None:
        """Record that a scan finished: its commit and its baseline move together."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._told(), self._database as database:
            database.execute("INSERT INTO scans (sha, time) VALUES (?, ?)", (baseline.commit, now))
            values = (("baseline", render_baseline(baseline)), ("had_file", b"%d" % had_file))
            database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", values)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """The readings kept under these keys."""
        wanted, found = list(keys), dict[str, str]()
        with self._told():
            for at in range(0, len(wanted), KEYS_PER_QUERY):
                some = wanted[at : at + KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, reading FROM readings WHERE key IN ({marks})"  # noqa: S608 - marks only
                found.update(self._database.execute(query, some).fetchall())
        return found

    def keep(self, readings: Mapping[str, str]) -> None:
        """Keep what was read, also of a scan that did not finish; the oldest beyond MOST_KEPT go."""
        if not readings:
            return
        with self._told(), self._database as database:
            database.executemany(
                "INSERT OR REPLACE INTO readings (key, reading) VALUES (?, ?)", readings.items()
            )
            newest = "SELECT number FROM readings ORDER BY number DESC LIMIT 1 OFFSET ?"
            database.execute(f"DELETE FROM readings WHERE number <= ({newest})", (MOST_KEPT,))  # noqa: S608

    def _get(self, name: str) -> bytes | None:
        with self._told():
            row = self._database.execute(
                "SELECT CAST(value AS BLOB) FROM state WHERE name = ?", (name,)
            ).fetchone()
        return bytes(row[0]) if row else None

    def _prepare(self, repository: str) -> None:
        """Make the tables of a new file; refuse those of another version or another repository."""
        name = repository.encode("utf-8", "surrogateescape")
        with self._database as database:
            # Two scans that start together must not both find a new file.
            database.execute("BEGIN IMMEDIATE")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in filter(str.strip, _TABLES.split(";")):
                    database.execute(statement)
                database.execute("INSERT INTO state VALUES ('repository', ?)", (name,))
                database.execute(f"PRAGMA user_version = {VERSION}")
                return
        if version != VERSION:
            raise StateError(f"The state {self._where!a} was not written by this version of reviewbot.")
        if self._get("repository") != name:
            raise StateError(f"The state {self._where!a} is that of another repository than {repository!a}.")

    @contextmanager
    def _told(self) -> Iterator[None]:
        import sqlite3  # noqa: PLC0415 - only scans with a state need it

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            why = ascii(said or type(error).__name__)[1:-1][:200].lower()
            raise StateError(f"The state {self._where!a} cannot be used: {why}.") from None


def _connect(path: Path) -> "sqlite3.Connection":
    import sqlite3  # noqa: PLC0415 - only scans with a state need it

    # The driver begins transactions itself only before a change of rows; ours begin by hand or by `with`.
    return sqlite3.connect(path, timeout=LOCK_SECONDS)
