"""The second look at what would stop a merge: which claims it is for, what it is shown, what it decides.

A fresh conversation sees one claim and the code, nothing of how the claim was reached, and tries to
refute it. A refutation counts only with a quote that stands in the files, as a claim does; what is
refuted becomes advisory with the reason, and nothing is ever dropped here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reviewbot.agents.conversation.history import Prompt
from reviewbot.agents.prompts import draw_fence
from reviewbot.agents.rules import SECURITY_RULES
from reviewbot.agents.spec import AgentSpec
from reviewbot.agents.view.excerpts import render_file
from reviewbot.agents.view.passages import Pages, Passage, find_quote, widen
from reviewbot.claims import Claim, Quote
from reviewbot.core import ChangeSet, Hunk
from reviewbot.severity import Severity
from reviewbot.templates import render
from reviewbot.text import cut, one_line, visible, visible_line

CHECKED = (Severity.CRITICAL, Severity.HIGH)
MATERIAL_BYTES = 30_000
WHY_CHARACTERS = 600
_MARK = {"cache_control": {"type": "ephemeral"}}

Judged = Literal["stands", "refuted", "undecided", "unproven", "unfinished", "unseen"]
"""``unproven``: refuted without a quote that stands in the files. ``unfinished``: no answer came.
``unseen``: a quote of the claim is not in the code, so there was nothing to ask."""


@dataclass(frozen=True, slots=True)
class Case:
    """Claims that say the same of the same place, and the code they quote; no ``places``: not found."""

    claims: tuple[Claim, ...]
    places: tuple[Passage, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are quoted, each once."""
        return tuple(dict.fromkeys(place.path for place in self.places))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the second look made of a case, and in a sentence why."""

    judged: Judged
    why: str = ""


def plan_cases(claims: Iterable[Claim], pages: Pages) -> tuple[Case, ...]:
    """The cases to check, the worst first: claims of one rule about one quoted text are one case."""
    groups: dict[tuple[str, str, str], list[Claim]] = {}
    for claim in claims:
        if is_checked(claim):
            first = claim.quotes[0]
            key = (claim.rule, first.path, " ".join(first.text.split()))
            groups.setdefault(key, []).append(claim)
    cases = [_case(group, pages) for group in groups.values()]
    return tuple(sorted(cases, key=lambda case: -case.claims[0].severity.rank))


def is_checked(claim: Claim) -> bool:
    """Whether there is a second look at a claim."""
    return claim.severity in CHECKED and not claim.advisory and bool(claim.quotes)


def _case(group: Sequence[Claim], pages: Pages) -> Case:
    ordered = tuple(sorted(group, key=lambda claim: -claim.severity.rank))
    quotes = [quote for claim in ordered for quote in claim.quotes]
    places = [find_quote(quote, pages) for quote in quotes]
    found = [place for place in places if place is not None]
    return Case(ordered, tuple(found) if len(found) == len(places) else ())


def build_verify_prompt(spec: AgentSpec, case: Case, changes: ChangeSet, pages: Pages) -> Prompt:
    """One claim and its code. The fence is drawn for this request: who made the claim knew the others."""
    code = cut(_render_code(_after_deletion(case, changes), pages), MATERIAL_BYTES)
    hunks = cut("".join(_render_hunks(case, changes)), MATERIAL_BYTES) or "(none)\n"
    claim = _render_claims(case)
    fence = draw_fence((code, hunks, claim))
    material = (
        "What the change does there:\n" + fence.around("change", hunks),
        "The code around the lines that the claim quotes:\n" + fence.around("code", code),
        "The claim:\n" + fence.around("claim", claim),
    )
    system = render(spec.prompt, part="system").strip()
    return Prompt(
        ({"type": "text", "text": system, **_MARK},),
        (
            {"type": "text", "text": "\n".join(material)},
            {"type": "text", "text": render(spec.prompt, part="task")},
        ),
    )


def _after_deletion(case: Case, changes: ChangeSet) -> list[Passage]:
    """The places; for deleted lines, which their hunk shows, what stands in head where they stood."""
    hunks = [(change, hunk) for change in changes.files if change.head_blob for hunk in change.hunks]

    def move(place: Passage) -> Passage:
        for change, hunk in hunks if place.side == "base" else ():
            if change.path == place.path and _holds(hunk, place):
                last = hunk.head_start + max(hunk.head_count, 1) - 1
                return Passage(place.path, "head", max(hunk.head_start, 1), max(last, 1))
        return place

    return [move(place) for place in case.places]


def _render_code(places: Sequence[Passage], pages: Pages) -> str:
    """The quoted places with lines around them. Each line keeps a blank in front, as in a hunk, so that
    no line of a file can pass for the header of another one.
    """
    parts = []
    for place in widen(places):
        lines = (pages.lines(place.path, place.side) or ())[place.first - 1 : place.last]
        last = place.first + len(lines) - 1
        parts.append(f"=== {visible_line(place.path)} (at {place.side}, lines {place.first}-{last})")
        parts += [f" {line}" for line in lines]
    return "\n".join(parts) + "\n"


def _render_hunks(case: Case, changes: ChangeSet) -> Iterable[str]:
    """The hunks that hold a quoted line, of the files that are changed."""
    for change in changes.files:
        places = [place for place in case.places if place.path == change.path]
        hunks = tuple(hunk for hunk in change.hunks if any(_holds(hunk, place) for place in places))
        if hunks:
            yield render_file(replace(change, hunks=hunks))


def _holds(hunk: Hunk, place: Passage) -> bool:
    """Whether a hunk and a place meet, on the side of the place."""
    start, count = (
        (hunk.head_start, hunk.head_count) if place.side == "head" else (hunk.base_start, hunk.base_count)
    )
    return place.first < start + count and place.last >= start


def _render_claims(case: Case) -> str:
    """The words of the claim, without how bad and how sure: a number would lead the judgement."""
    rule = case.claims[0].rule
    says = next((known.says for known in SECURITY_RULES if known.id == rule), "")
    said = dict.fromkeys(f"{one_line(claim.title, 300)}\n{visible(claim.body)}" for claim in case.claims)
    places = dict.fromkeys(
        f"- {visible_line(place.path)} at {place.side}, line {place.first}" for place in case.places
    )
    return "\n".join((f"{rule}: {says}", *said, "It quotes:", *places))


def judge(answer: object, pages: Pages, names: Mapping[str, str]) -> Ruling:
    """What an answer (a ``VerifyAnswer``, or None where none came) means for its case.

    ``names`` gives git's own path for one as it is shown.
    """
    if answer is None:
        return Ruling("unfinished")
    judged: Judged = answer.judgement.value  # type: ignore[attr-defined]
    why = one_line(answer.why, WHY_CHARACTERS)  # type: ignore[attr-defined]
    if judged == "refuted":
        said = [
            Quote(names.get(quote.path, quote.path), quote.start_line, quote.end_line, quote.text)
            for quote in answer.quotes  # type: ignore[attr-defined]
        ]
        if not said or not why or any(find_quote(quote, pages) is None for quote in said):
            return Ruling("unproven", why)
    return Ruling(judged, why)


def rule_on(claim: Claim, ruling: Ruling | None) -> Claim:
    """The claim as it is after its ruling: advisory with the reason where it was refuted, else unchanged."""
    if ruling is None or ruling.judged != "refuted":
        return claim
    said = f"A second look refuted this, so it does not block: {ruling.why}"
    return replace(claim, advisory=True, body=f"{said}\n\n{claim.body}")


_WORDS: Mapping[Judged, str] = {
    "refuted": "refuted and advisory now",
    "stands": "not refuted",
    "undecided": "undecided",
    "unproven": "refuted without a quote that stands in the code, which does not count",
    "unfinished": "not checked because the second look did not finish",
    "unseen": "not checked because its quotes were not found",
}


def explain_rulings(rulings: Sequence[Ruling], details: Iterable[str]) -> tuple[str, ...]:
    """One sentence about all of them, or none; ``details`` say why some did not finish."""
    if not rulings:
        return ()
    counts = [(word, sum(ruling.judged == name for ruling in rulings)) for name, word in _WORDS.items()]
    told = "; ".join(f"{count} {word}" for word, count in counts if count)
    noun = "claim" if len(rulings) == 1 else "claims"
    why = " ".join(dict.fromkeys(details))
    return (
        f"verify looked again at {len(rulings)} high or critical {noun}: {told}."
        + (f" {why}" if why else ""),
    )
