"""The journal: an append-only record of what a run decided, one JSON object a line.

It holds decisions and counts, in the order they were taken. It never holds file content or secrets:
that is the duty of whoever calls ``write``, because a journal cannot tell a secret from a name. A full
journal is the exception, which a user asks for on a machine of their own: ``write_full`` puts into it what
``reviewbot replay`` needs and what models were sent and said.
"""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

from reviewbot.errors import OutputError
from reviewbot.records import to_plain
from reviewbot.telemetry.spans import Telemetry

VERSION = 1
"""Of the records that ``reviewbot replay`` reads; grows when one of them changes its meaning."""

PROVING = "proof_began"
"""The event behind which a journal tells of tests that were run and of further rounds: none is replayed."""

RESERVED = ("time", "event")
"""The two names that every record has and no field may take."""


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """Records kept in memory as JSON lines and, where a ``mirror`` is given, written to it as they come.

    ``mirror`` is a file open for bytes; it stays its owner's to close. Threads may share a journal.
    ``telemetry`` is told what takes time, by those who also write about it here.
    """

    def __init__(
        self,
        mirror: BinaryIO | None = None,
        *,
        clock: Callable[[], datetime] = _now,
        is_full: bool = False,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.is_full = is_full
        self.telemetry = telemetry or Telemetry()
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

    def write_full(self, event: str, /, **fields: object) -> None:
        """As ``write`` for what may hold file content: only a full journal takes it.

        The fields are our own values as well as what JSON holds; see ``records.to_plain``.
        """
        if self.is_full:
            self.write(event, **{name: to_plain(value) for name, value in fields.items()})

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
