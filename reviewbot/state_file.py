"""The one door to sqlite3: files that runs leave for the next one, in a folder of the user's.

Every change is one transaction, so a run that is killed leaves either the state before it or the one after.
"""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    import sqlite3

LOCK_SECONDS = 5.0
IN_USE = "Wait until that run has ended, or name another folder with --state."
_SEALED = b"hmac-sha256:"
_SEAL_BYTES = len(_SEALED) + 64


class StateError(ReviewbotError):
    """The state of earlier scans cannot be used."""

    help = (
        "Name another folder with --state, or remove this one to start anew: the next scan then reads "
        "everything again and takes what it finds as known."
    )


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs what a state holds, where others may write to it, such as to a cache of the CI.

    Without a key the folder is trusted as it is. What was sealed for another key, name or repository, or
    not at all, is as good as absent.
    """

    repository: str
    key: bytes | None = field(default=None, repr=False)

    def close(self, name: str, data: bytes) -> bytes:
        """What to keep for ``data`` under ``name``, which holds no NUL."""
        return self._mark(name, data) + data if self.key else data

    def open(self, name: str, kept: bytes | None) -> bytes | None:
        """What was kept under ``name``, None where it does not count."""
        if kept is None or not self.key:
            return None if kept is None or kept.startswith(_SEALED) else kept
        mark, data = kept[:_SEAL_BYTES], kept[_SEAL_BYTES:]
        return data if hmac.compare_digest(mark, self._mark(name, data)) else None

    def close_texts(self, kind: str, texts: Mapping[str, str]) -> dict[str, str]:
        """What to keep for texts of one kind, by name."""
        return {name: self.close(f"{kind} {name}", _encode(text)).decode() for name, text in texts.items()}

    def open_texts(self, kind: str, kept: Mapping[str, str]) -> dict[str, str]:
        """The texts of one kind that count, by name."""
        opened = {name: self.open(f"{kind} {name}", _encode(text)) for name, text in kept.items()}
        return {name: data.decode() for name, data in opened.items() if data is not None}

    def _mark(self, name: str, data: bytes) -> bytes:
        about = "\0".join(("state", self.repository.lower(), name, ""))
        text = about.encode("utf-8", "surrogateescape") + data
        return _SEALED + hmac.new(self.key or b"", text, "sha256").hexdigest().encode()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def open_state(
    path: Path | None, repository: str, tables: str, version: int, *, alone: bool = False
) -> "sqlite3.Connection":
    """The database at ``path``, made with ``tables`` where it is missing; in memory without a path.

    ``tables`` are SQL statements, among them a table ``state`` of names and values. ``alone``: no other
    process may have it open at the same time.

    Raises:
        StateError: it cannot be read or written, or is of another version or repository.
    """
    import sqlite3  # noqa: PLC0415 - only scans with a state need it

    with told(path):
        if path:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The driver begins transactions itself only before a change of rows; ours begin by hand or by `with`.
        database = sqlite3.connect(path or ":memory:", timeout=LOCK_SECONDS)
        try:
            if alone:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
            _prepare(database, path, repository, tables, version)
        except BaseException:
            database.close()
            raise
    return database


@contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Raise StateError, which names the file, for whatever fails in the block."""
    import sqlite3  # noqa: PLC0415 - only scans with a state need it

    try:
        yield
    except (sqlite3.Error, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        why = ascii(said or type(error).__name__)[1:-1][:200].lower()
        if "locked" in why:
            # To remove what another run is writing to would lose what that run pays for.
            raise StateError(
                f"The state {str(path)!a} is in use by another run ({why}).", help=IN_USE
            ) from None
        raise StateError(f"The state {str(path)!a} cannot be used: {why}.") from None


class StateFile:
    """A file of state that is open; a context manager that closes it.

    The arguments are those of ``open_state``, which it raises StateError as.
    """

    def __init__(
        self, path: Path | None, repository: str, tables: str, version: int, *, alone: bool = False
    ) -> None:
        self._path = path
        self._database = open_state(path, repository, tables, version, alone=alone)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _told(self) -> AbstractContextManager[None]:
        return told(self._path)


def get_value(database: "sqlite3.Connection", name: str) -> bytes | None:
    """A value of the table ``state``."""
    row = database.execute("SELECT CAST(value AS BLOB) FROM state WHERE name = ?", (name,)).fetchone()
    return bytes(row[0]) if row else None


def _prepare(
    database: "sqlite3.Connection", path: Path | None, repository: str, tables: str, version: int
) -> None:
    """Make the tables of a new file; refuse those of another version or another repository."""
    name = repository.encode("utf-8", "surrogateescape")
    with database:
        # Two scans that start together must not both find a new file.
        database.execute("BEGIN IMMEDIATE")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found == 0 and not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in filter(str.strip, tables.split(";")):
                database.execute(statement)
            database.execute("INSERT INTO state VALUES ('repository', ?)", (name,))
            database.execute(f"PRAGMA user_version = {version}")
            return
    if found != version:
        raise StateError(f"The state {str(path)!a} was not written by this version of reviewbot.")
    if get_value(database, "repository") != name:
        raise StateError(f"The state {str(path)!a} is that of another repository than {repository!a}.")
