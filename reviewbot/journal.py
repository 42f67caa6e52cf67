"""The journal: an append-only record of what a run decided, one JSON object a line.

It holds decisions and counts, in the order they were taken. It never holds file content or secrets:
that is the duty of whoever calls ``write``, because a journal cannot tell a secret from a name.
"""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

from reviewbot.errors import OutputError

RESERVED = ("time", "event")
"""The two names that every record has and no field may take."""


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """Records kept in memory as JSON lines and, where a ``mirror`` is given, written to it as they come.

    ``mirror`` is a file open for bytes; it stays its owner's to close. Threads may share a journal.
    """

    def __init__(self, mirror: BinaryIO | None = None, *, clock: Callable[[], datetime] = _now) -> None:
        self._mirror = mirror
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: list[bytes] = []

    def write(self, event: str, /, **fields: object) -> None:
        """Append one record: UTC time with milliseconds, ``event``, then ``fields`` in their order.

        Field values are what JSON holds: text, finite numbers, booleans, None, lists and mappings of
        them. The line is ASCII, so that no separator, control character or lone surrogate of a path
        stands raw in it. Raises TypeError (bytes and other types) or ValueError (a reserved name, NaN)
        on a caller's mistake and then records nothing; OutputError when the mirror cannot be written,
        in which case the record is kept in memory all the same.
        """
        for name in RESERVED:
            if name in fields:
                raise ValueError(f"a journal record already has a field {name!r}")
        with self._lock:
            time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
            record = {"time": f"{time}Z", "event": event, **fields}
            line = json.dumps(record, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
            self._lines.append(line)
            self._write_mirror(line)

    def data(self) -> bytes:
        """All records so far, one JSON object a line, each line ended by a line feed."""
        with self._lock:
            return b"".join(self._lines)

    def _write_mirror(self, line: bytes) -> None:
        if self._mirror is None:
            return
        try:
            self._mirror.write(line)
            self._mirror.flush()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutputError(f"The journal cannot be written to its file: {reason}.") from error
