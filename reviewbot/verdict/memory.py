"""What a repository's scans leave for the next one: it saves money and tells what is new."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reviewbot.core import Sha
from reviewbot.state_file import Seal, StateFile, get_value
from reviewbot.verdict.baseline import Baseline, parse_baseline, render_baseline

FILE_NAME = "scan.sqlite3"
VERSION = 1
KEYS_PER_QUERY = 500
MOST_KEPT = 200_000
"""Readings kept; the oldest go first."""

_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE scans (number INTEGER PRIMARY KEY, sha TEXT NOT NULL, time TEXT NOT NULL);
CREATE TABLE readings (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, reading TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last finished scan: its commit, when (ISO 8601, UTC), whether it had a committed baseline."""

    sha: Sha
    time: str
    had_file: bool


class ScanMemory(StateFile):
    """The state of one repository's scans in ``folder``, which is made where it is missing.

    With a ``key`` only what was signed with it counts: what else is there is as good as absent.

    Raises:
        StateError: here and in every method, where the file cannot be read or written, or is another's.
    """

    def __init__(self, folder: Path, repository: str, key: bytes | None = None) -> None:
        self._seal = Seal(repository, key)
        super().__init__(folder / FILE_NAME, repository, _TABLES, VERSION)

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
        return None if data is None else parse_baseline(data, str(self._path))

    def finish(self, baseline: Baseline, *, had_file: bool) -> None:
        """Record that a scan finished: its commit and its baseline move together."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._told(), self._database as database:
            database.execute("INSERT INTO scans (sha, time) VALUES (?, ?)", (baseline.commit, now))
            values = {"baseline": render_baseline(baseline), "had_file": b"%d" % had_file}
            rows = [(name, self._seal.close(name, data)) for name, data in values.items()]
            database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", rows)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """The readings kept under these keys."""
        wanted, found = list(keys), dict[str, str]()
        with self._told():
            for at in range(0, len(wanted), KEYS_PER_QUERY):
                some = wanted[at : at + KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, CAST(reading AS TEXT) FROM readings WHERE key IN ({marks})"  # noqa: S608 - marks only
                found.update(self._database.execute(query, some).fetchall())
        return self._seal.open_texts("reading", found)

    def keep(self, readings: Mapping[str, str]) -> None:
        """Keep what was read, also of a scan that did not finish; the oldest beyond MOST_KEPT go."""
        if not readings:
            return
        with self._told(), self._database as database:
            rows = self._seal.close_texts("reading", readings).items()
            database.executemany("INSERT OR REPLACE INTO readings (key, reading) VALUES (?, ?)", rows)
            newest = "SELECT number FROM readings ORDER BY number DESC LIMIT 1 OFFSET ?"
            database.execute(f"DELETE FROM readings WHERE number <= ({newest})", (MOST_KEPT,))  # noqa: S608

    def _get(self, name: str) -> bytes | None:
        with self._told():
            return self._seal.open(name, get_value(self._database, name))
