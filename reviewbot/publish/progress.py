"""One line for anything that takes over a second, on the error stream, gone again on a terminal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

DELAY_SECONDS = 1.0


class Progress:
    """Says what is going on, but only once it takes long enough to wonder."""

    def __init__(self, stream: TextIO, *, delay: float = DELAY_SECONDS) -> None:
        self._stream = stream
        self._delay = delay
        self._lock = threading.Lock()
        self._shown = ""

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show ``doing`` if the block takes longer than the delay."""
        timer = threading.Timer(self._delay, self._show, [doing])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._clear()

    def _show(self, doing: str) -> None:
        self._clear()
        with self._lock:
            self._shown = f"reviewbot: {doing} …"
            self._stream.write(self._shown + ("" if self._stream.isatty() else "\n"))
            self._stream.flush()

    def _clear(self) -> None:
        with self._lock:
            if self._shown and self._stream.isatty():
                self._stream.write("\r" + " " * len(self._shown) + "\r")
                self._stream.flush()
            self._shown = ""
