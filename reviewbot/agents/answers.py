"""What each agent may answer, and how an answer becomes claims.

The shapes are flat, every list stands in an object, and no field is a verdict: what an answer means is
decided elsewhere. The API does not enforce lengths, counts or the case of enum values, so they are
checked or folded here (THREATS R14).
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from reviewbot.agents.rules import (
    CAUSES,
    CERTAINTY,
    HIDDEN_INSTRUCTION,
    HIDDEN_INSTRUCTION_TITLE,
    SECURITY_RULES,
)
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.severity import Severity
from reviewbot.text import cut, one_line, show_surrogates

FINDINGS_CAP = 50
QUOTES_CAP = 12
EDITS_CAP = 20
FILES_CAP = 2_000
PATH_CHARACTERS = 4_096
QUOTE_CHARACTERS = 8_000
EDIT_CHARACTERS = 20_000
TITLE_CHARACTERS = 160
BODY_CHARACTERS = 4_000
LAST_LINE = 10_000_000


def _fold(value: object) -> object:
    """Enum values come in any case: the API does not promise theirs."""
    return value.strip().lower() if isinstance(value, str) else value


def _known(ids: Sequence[str]) -> AfterValidator:
    """A check that a folded text is one of some ids."""

    def check(value: str) -> str:
        if value not in ids:
            raise ValueError(f"must be one of: {', '.join(ids)}")
        return value

    return AfterValidator(check)


_RULES = [rule.id for rule in SECURITY_RULES]
_CAUSES = [cause.id for cause in CAUSES]
_RuleId = Annotated[
    str, BeforeValidator(_fold), _known(_RULES), WithJsonSchema({"type": "string", "enum": _RULES})
]
_CauseId = Annotated[
    str, BeforeValidator(_fold), _known(_CAUSES), WithJsonSchema({"type": "string", "enum": _CAUSES})
]
_Path = Annotated[str, Field(max_length=PATH_CHARACTERS)]


class Risk(StrEnum):
    """How much a changed file asks for a closer look."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Certainty(StrEnum):
    """How far a finding has been shown; ``rules.CERTAINTY`` says what each word is worth."""

    SHOWN = "shown"
    LIKELY = "likely"
    POSSIBLE = "possible"
    GUESS = "guess"


class Reviewer(StrEnum):
    """The agents that triage may call."""

    SECURITY = "security"
    TEST_FIX = "test_fix"


class Answer(BaseModel):
    """An answer of a model: no field is unknown or missing."""

    __test__: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", frozen=True)


class TriagedFile(Answer):
    """What triage says of one file."""

    path: _Path = Field(description="The path exactly as it stands in the change.")
    risk: Annotated[Risk, BeforeValidator(_fold)]
    reason: str = Field(description="At most twelve words: what the change does here.")
    agents: list[Annotated[Reviewer, BeforeValidator(_fold)]] = Field(
        description="Who has to look; empty where nobody has to."
    )


class TriageAnswer(Answer):
    """One entry for each file of the request."""

    files: list[TriagedFile] = Field(max_length=FILES_CAP)


class QuotedText(Answer):
    """Text that stands in a file."""

    path: _Path
    start_line: int = Field(description="Your best knowledge; the text decides.")
    end_line: int
    text: str = Field(
        max_length=QUOTE_CHARACTERS,
        description="One to six whole lines, character by character, without the + or - of the diff.",
    )


class SecurityFinding(Answer):
    """One security fault of the change."""

    rule: _RuleId
    severity: Annotated[Severity, BeforeValidator(_fold)]
    confidence: Annotated[Certainty, BeforeValidator(_fold)]
    title: str = Field(description="The fault in one line.")
    body: str = Field(
        description="Who sends what, which way it takes, what happens, what would stop it. No secret value."
    )
    quotes: list[QuotedText] = Field(
        min_length=1, max_length=QUOTES_CAP, description="First the line to comment on, then the evidence."
    )


class SecurityAnswer(Answer):
    """The findings; none for a change without a security fault."""

    findings: list[SecurityFinding] = Field(max_length=FINDINGS_CAP)


class TextEdit(Answer):
    """A replacement in one file of head."""

    path: _Path
    find: str = Field(
        min_length=1,
        max_length=EDIT_CHARACTERS,
        description="Text of the head commit, word for word, long enough to stand there exactly once.",
    )
    replace: str = Field(max_length=EDIT_CHARACTERS)


class TestFailure(Answer):
    """One cause and the failed tests that it explains."""

    evidence_ids: list[str] = Field(description="The ids of the failures with this cause.")
    cause: _CauseId
    confidence: Annotated[Certainty, BeforeValidator(_fold)]
    title: str = Field(description="The cause in one line.")
    body: str = Field(description="How the quoted lines lead to the failure, and why the edit mends it.")
    quotes: list[QuotedText] = Field(
        min_length=1, max_length=QUOTES_CAP, description="First the line that causes it, then the evidence."
    )
    edits: list[TextEdit] = Field(max_length=EDITS_CAP, description="The smallest mend; empty if unsure.")


class TestFixAnswer(Answer):
    """Why the tests fail: one entry for each cause, every failure in one of them."""

    failures: list[TestFailure] = Field(max_length=FINDINGS_CAP)


def to_claims(agent: str, answer: BaseModel) -> tuple[Claim, ...]:
    """The claims in an answer, prose cut to what people read; triage makes none."""
    if isinstance(answer, SecurityAnswer):
        return tuple(_security_claim(agent, finding) for finding in answer.findings)
    if isinstance(answer, TestFixAnswer):
        return tuple(_test_claim(agent, failure) for failure in answer.failures)
    return ()


def _security_claim(agent: str, finding: SecurityFinding) -> Claim:
    rule = next(rule for rule in SECURITY_RULES if rule.id == finding.rule)
    title, body, severity = finding.title, finding.body, finding.severity
    if rule.id == HIDDEN_INSTRUCTION:
        # THREATS R34: said in our words, since prose about such a text may carry it on; only a notice.
        title, body, severity = HIDDEN_INSTRUCTION_TITLE, rule.says, Severity.MEDIUM
    return Claim(
        agent=agent,
        rule=rule.id,
        severity=severity,
        confidence=CERTAINTY[finding.confidence].value,
        title=_title(title),
        body=_body(body),
        quotes=_quotes(finding.quotes),
        cwe=(rule.cwe,) if rule.cwe else (),
    )


def _test_claim(agent: str, failure: TestFailure) -> Claim:
    cause = next(cause for cause in CAUSES if cause.id == failure.cause)
    return Claim(
        agent=agent,
        rule=cause.id,
        severity=cause.severity,
        confidence=CERTAINTY[failure.confidence].value,
        title=_title(failure.title),
        body=_body(failure.body),
        quotes=_quotes(failure.quotes),
        edits=tuple(Edit(edit.path, edit.find, edit.replace) for edit in failure.edits),
        evidence_ids=tuple(dict.fromkeys(failure.evidence_ids)),
    )


def _title(text: str) -> str:
    return one_line(text, TITLE_CHARACTERS) or "(no title)"


def _body(text: str) -> str:
    return cut(show_surrogates(text).strip(), BODY_CHARACTERS)


def _quotes(quotes: Iterable[QuotedText]) -> tuple[Quote, ...]:
    """Line numbers are guesses: one that makes no range is mended, never a reason to refuse."""
    found = []
    for quote in quotes:
        first = min(max(quote.start_line, 1), LAST_LINE)
        found.append(Quote(quote.path, first, min(max(quote.end_line, first), LAST_LINE), quote.text))
    return tuple(found)
