"""Everything that one run must not tell: its own secrets, and those that the analyzers found."""

from collections.abc import Callable, Mapping

from reviewbot.change.content import line_reader
from reviewbot.core import ChangeSet, Sha
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.known_formats import find_known_formats
from reviewbot.request import Request
from reviewbot.secrets.masking import SHORTEST_VALUE, Masker, build_masker

HELD_NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
"""Variables of the process that hold a secret of the run, whatever it was started by."""


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
