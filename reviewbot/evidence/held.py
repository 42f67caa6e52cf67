"""Everything that one run must not tell: its own secrets, and those that the analyzers found."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from reviewbot.change.content import line_reader
from reviewbot.core import ChangeSet, Evidence, Sha
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.known_formats import find_known_formats
from reviewbot.request import Request
from reviewbot.secrets.masking import MASK, SHORTEST_VALUE, Masker, build_masker
from reviewbot.settings import ANALYZERS

HELD_NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
"""Variables of the process that hold a secret of the run, whatever it was started by."""

SECONDS = 20.0
"""To search all that was handed in; what is left then is hidden whole."""

_OURS = frozenset(("analyzer", *ANALYZERS))


def held_secrets(given: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The run's own secrets, each once; what has fewer than 8 characters is none."""
    every = (*given, *(environment.get(name, "") for name in HELD_NAMES))
    return tuple(dict.fromkeys(one for text in every if len(one := text.strip()) >= SHORTEST_VALUE))


def make_masker(
    request: Request, changes: ChangeSet, read: Callable[[Sha], bytes], collected: Collected | None = None
) -> Masker:
    """The masker of a run; before any evidence is ``collected`` it knows the run's own secrets only."""
    return build_masker(
        collected.evidence if collected else (),
        collected.masks if collected else {},
        changes,
        line_reader(read),
        find_known_formats,
        held_secrets(request.secrets, request.environment),
    )


def hide_secrets(collected: Collected, masker: Masker, seconds: float = SECONDS) -> Collected:
    """What was collected, the secrets hidden in all that reports, which may be anybody's, say in words.

    A test that fails prints what it was given, and a report may name its tests, rules and tool at will.
    """
    if not any(_foreign_words(collected)):
        return collected
    hide = _Hider(masker, time.monotonic() + seconds)
    evidence = tuple(_hidden(item, hide) for item in collected.evidence)
    rejected = tuple(
        replace(each, source=hide(each.source), rule=hide(each.rule)) for each in collected.rejected
    )
    notes = tuple(map(hide, collected.notes))
    gaps = tuple(replace(gap, detail=hide(gap.detail)) for gap in collected.gaps)
    if hide.places:
        places = f"{hide.places:,} place{'s' * (hide.places != 1)}"
        notes = (*notes, f"Secrets were hidden in {places} of the reports that were handed in.")
    return replace(collected, evidence=evidence, rejected=rejected, notes=notes, gaps=gaps)


def _foreign_words(collected: Collected) -> Iterator[object]:
    yield from collected.notes
    yield from collected.gaps
    yield from (item for item in collected.evidence if item.source not in _OURS)
    yield from (item for item in collected.rejected if item.source not in _OURS)


def _hidden(item: Evidence, hide: "_Hider") -> Evidence:
    if item.source in _OURS:
        return item
    return replace(
        item,
        tool=hide(item.tool),
        rule=hide(item.rule),
        title=hide(item.title),
        message=hide(item.message),
        trace=hide(item.trace),
    )


class _Hider:
    """Masks texts, each once; ``places`` counts those in which something was hidden."""

    def __init__(self, masker: Masker, deadline: float) -> None:
        self._masker, self._deadline = masker, deadline
        self._known: dict[str, str] = {}
        self.places = 0

    def __call__(self, text: str) -> str:
        if len(text) < SHORTEST_VALUE:
            return text
        if text not in self._known:
            late = time.monotonic() > self._deadline
            self._known[text] = MASK if late else self._masker.mask_text(text)
        self.places += self._known[text] != text
        return self._known[text]
