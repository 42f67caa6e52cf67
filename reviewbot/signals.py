"""A signal ends a run as an exception does, so that programs end and temporary folders go."""

import signal

from reviewbot.core import Review


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; ``review`` is what the reports say, where the change was known.

    A KeyboardInterrupt, because an event loop swallows every other exception of a callback.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.review: Review | None = None


def raise_on_signals() -> None:
    """From now on SIGTERM (a cancelled CI job), SIGHUP and SIGINT raise Terminated in the main thread."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _raise)


def _raise(number: int, _: object) -> None:
    raise Terminated(number)
