"""The known formats of secrets in a line of any text: what a model is shown, and what it says.

The same detectors as in the secret scan, called in this process; guesses are not among them.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache

from reviewbot.evidence.secret_kinds import KINDS, UNKNOWN, WITH_BODY

SURE = 0.6
"""The confidence from which on a format is taken for a secret wherever it stands."""

SECONDS = 2.0
"""For one line; one that takes longer is hidden whole."""

Span = tuple[int, int]


def find_known_formats(line: str) -> Iterator[Span]:
    """The columns of each value of a known format that is no published sample.

    A private key's first line is no secret by itself; its body is told by its shape elsewhere.
    """
    detect, is_sample = _program()
    try:
        found = detect(line, time.monotonic() + SECONDS)
    except TimeoutError:
        yield 0, len(line)
        return
    for kind, spans in found.items():
        if kind in WITH_BODY or KINDS.get(kind, UNKNOWN).confidence < SURE:
            continue
        yield from (span for span in spans if not is_sample(line[slice(*span)]))


@cache
def _program() -> tuple[Callable[[str, float], dict[str, list[Span]]], Callable[[str], bool]]:
    # Imported here: its detectors cost 0.1 s that a review without models need not pay.
    from reviewbot.evidence.secret_program import (  # noqa: PLC0415
        find_all_known,
        is_sample,
        load_detectors,
    )

    known, _ = load_detectors()
    return lambda line, deadline: find_all_known(known, line, deadline), is_sample
