"""What is asked in batches, kept so that a run which was killed or did not wait is picked up by the next one.

An ask is known by the hash of its request. Its row stands before its batch is created and goes with it, or
holds the answer once it was collected: so nothing is paid for twice, whenever a run ends. A scan that is
concluded clears the file; what no scan concluded goes after as long as the provider keeps results. Without
a folder all this stands in memory, for one run.
"""

import json
import re
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from reviewbot.state_file import Seal, StateError, StateFile, get_value

FILE_NAME = "batches.sqlite3"
PART_NAME = "batches-since.sqlite3"
VERSION = 2
KEYS_PER_QUERY = 500
SCAN = "scan"
KEPT_SECONDS = 29 * 24 * 3_600.0
"""So long the provider keeps results."""

_TABLES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE batches (number INTEGER PRIMARY KEY, id TEXT, is_sure INTEGER NOT NULL, begun REAL NOT NULL);
CREATE TABLE asks (key TEXT PRIMARY KEY, batch INTEGER, answer TEXT, begun REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX asks_by_batch ON asks (batch);
"""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose results are not collected yet.

    ``id`` is None where no answer to its creation came: it may exist or not. Without ``is_sure`` the id was
    found by its looks, and the results have to show that it is ours. ``begun`` are seconds since 1970.
    """

    number: int
    id: str | None
    is_sure: bool
    begun: float
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScanUnderWay:
    """The scan of a whole tree whose asks a ledger holds: what it takes to make the same asks again.

    ``recipe`` names all but the files that an answer depends on. ``reused``: so many files it did not ask
    about, because of readings that were kept by then; ``full``: it was to use none.
    """

    head_sha: str
    policy_sha: str
    recipe: str
    reused: int
    full: bool = False

    def asks_as(self, head_sha: str, recipe: str, *, full: bool) -> bool:
        """Whether a scan of this commit asks the same."""
        is_as_full = self.full == full or not self.reused
        return (self.head_sha, self.recipe) == (head_sha, recipe) and is_as_full


class BatchLedger(StateFile):
    """The ledger of one repository's batches in ``folder``; no other run may have it at the same time.

    With a ``key`` only answers that were signed with it count. ``name`` is that of the file: scans of a part
    have one of their own, so that their end forgets nothing of a scan of the whole tree.

    Raises:
        StateError: here and in every method, where the file cannot be read or written, or is another's.
    """

    def __init__(
        self, folder: Path | None, repository: str, key: bytes | None = None, name: str = FILE_NAME
    ) -> None:
        self._seal = Seal(repository, key)
        self.is_kept = folder is not None
        path = folder / name if folder else None
        super().__init__(path, repository, _TABLES, VERSION, alone=self.is_kept)
        try:
            self._prune(time.time() - KEPT_SECONDS)
        except BaseException:
            self._database.close()
            raise

    def secret(self) -> bytes:
        """32 bytes that nobody outside knows: the same until the scan is concluded."""
        with self._told(), self._database as database:
            database.execute("INSERT OR IGNORE INTO state VALUES ('secret', ?)", (secrets.token_bytes(32),))
            return get_value(database, "secret") or b""

    def scan(self) -> ScanUnderWay | None:
        """The scan whose asks these are; None where there are none, or nobody noted it."""
        with self._told():
            data = self._seal.open(SCAN, get_value(self._database, SCAN))
            asks = self._database.execute("SELECT count(*) FROM asks").fetchone()[0]
        return _parse_scan(data) if data is not None and asks else None

    def note_scan(self, scan: ScanUnderWay) -> None:
        """Note whose asks are kept from now on."""
        data = self._seal.close(SCAN, json.dumps(asdict(scan)).encode())
        with self._told(), self._database as database:
            database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (SCAN, data))

    def answered(self) -> list[str]:
        """The keys of all asks whose answers were collected."""
        with self._told():
            rows = self._database.execute("SELECT key FROM asks WHERE answer IS NOT NULL").fetchall()
        return [key for (key,) in rows]

    def answers(self, keys: Iterable[str]) -> dict[str, str]:
        """The answers that were collected for these asks, as JSON."""
        wanted, found = list(keys), dict[str, str]()
        with self._told():
            for at in range(0, len(wanted), KEYS_PER_QUERY):
                some = wanted[at : at + KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                is_wanted = f"answer IS NOT NULL AND key IN ({marks})"
                query = f"SELECT key, CAST(answer AS TEXT) FROM asks WHERE {is_wanted}"  # noqa: S608
                found.update(self._database.execute(query, some).fetchall())
        return self._seal.open_texts("answer", found)

    def open_batches(self) -> list[OpenBatch]:
        """The batches that are not collected, the oldest first."""
        with self._told():
            rows = self._database.execute("SELECT number, id, is_sure, begun FROM batches ORDER BY number")
            return [
                OpenBatch(number, name, bool(is_sure), begun, frozenset(self._keys(number)))
                for number, name, is_sure, begun in rows.fetchall()
            ]

    def begin(self, keys: Collection[str], begun: float) -> OpenBatch:
        """Note that a batch with these asks is about to be created."""
        with self._told(), self._database as database:
            insert = "INSERT INTO batches (id, is_sure, begun) VALUES (NULL, 0, ?)"
            number = database.execute(insert, (begun,)).lastrowid or 0
            rows = [(key, number, begun) for key in keys]
            database.executemany("INSERT OR REPLACE INTO asks VALUES (?, ?, NULL, ?)", rows)
        return OpenBatch(number, None, False, begun, frozenset(keys))

    def opened(self, number: int, name: str | None, *, is_sure: bool) -> None:
        """Note the id of a batch; None: what was taken for it is another's."""
        with self._told(), self._database as database:
            update = "UPDATE batches SET id = ?, is_sure = ? WHERE number = ?"
            database.execute(update, (name, is_sure, number))

    def close_batch(self, number: int, answers: Mapping[str, str]) -> None:
        """Keep what a batch has answered; the batch goes, and so do its asks that have no answer."""
        with self._told(), self._database as database:
            rows = [(answer, key) for key, answer in self._seal.close_texts("answer", answers).items()]
            database.executemany("UPDATE asks SET answer = ?, batch = NULL WHERE key = ?", rows)
            database.execute("DELETE FROM asks WHERE batch = ?", (number,))
            database.execute("DELETE FROM batches WHERE number = ?", (number,))

    def clear(self) -> None:
        """Forget everything: the scan it belongs to is concluded."""
        with self._told(), self._database as database:
            for statement in (
                "DELETE FROM asks",
                "DELETE FROM batches",
                "DELETE FROM state WHERE name IN ('secret', 'scan')",
            ):
                database.execute(statement)

    def _prune(self, before: float) -> None:
        """Forget what was begun before that: scans that were never concluded must not fill the folder."""
        with self._told(), self._database as database:
            database.execute("DELETE FROM asks WHERE begun < ?", (before,))
            database.execute("DELETE FROM batches WHERE begun < ?", (before,))

    def _keys(self, number: int) -> list[str]:
        rows = self._database.execute("SELECT key FROM asks WHERE batch = ?", (number,))
        return [key for (key,) in rows]


def head_under_way(folder: Path, repository: str, key: bytes | None) -> str | None:
    """The commit of the scan that was left under way in a folder; None where it cannot be told."""
    if not (folder / FILE_NAME).is_file():
        return None
    try:
        with BatchLedger(folder, repository, key) as ledger:
            found = ledger.scan()
    except StateError:
        return None  # the scan itself will say so
    return found.head_sha if found else None


def _parse_scan(data: bytes) -> ScanUnderWay | None:
    """What ``note_scan`` wrote; None for anything else."""
    try:
        found = ScanUnderWay(**json.loads(data))
        shas = (found.head_sha, found.policy_sha)
        is_sound = all(re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", sha) for sha in shas)
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = (type(found.recipe), type(found.reused), type(found.full))
    return found if is_sound and kinds == (str, int, bool) else None
