"""What each agent may answer, and how an answer becomes claims.

The shapes are flat, every list stands in an object, and no field is a verdict: what an answer means is
decided elsewhere. The API does not enforce lengths, counts or the case of enum values, so they are
checked or folded here (THREATS R14).
"""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar

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
    HIDDEN_INSTRUCTION_BODY,
    HIDDEN_INSTRUCTION_TITLE,
    SECURITY_RULES,
)
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.severity import Severity
from reviewbot.text import cut, one_line, show_surrogates

FINDINGS_CAP = 50
"""So many of an answer count, the worst ones; the others are counted as rejected."""

MOST_FINDINGS = 1_000
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


def one_of(ids: Sequence[str]) -> tuple[object, ...]:
    """Marks of a field that holds one of some ids, in any case; the schema has them in place."""

    def check(value: object) -> object:
        if value not in ids:
            raise ValueError(f"must be one of: {', '.join(ids)}")
        return value

    schema = WithJsonSchema({"type": "string", "enum": list(ids)})
    return (BeforeValidator(check), BeforeValidator(_fold), schema)


def at_most(cap: int, *, least: int = 0) -> AfterValidator:
    """A length that the schema keeps quiet about: the API would only spell it out in a description."""

    def check(value: Sized) -> Sized:
        if not least <= len(value) <= cap:
            raise ValueError(f"must have a length from {least} to {cap}")
        return value

    return AfterValidator(check)


def _without_names(schema: dict[str, Any]) -> None:
    """Take titles and docstrings out of a schema: they are sent with every request and say nothing new."""
    for key in ("title", "description"):
        schema.pop(key, None)
    for value in schema.get("properties", {}).values():
        value.pop("title", None)


class Risk(StrEnum):
    """How much a changed file asks for a closer look."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Reviewer(StrEnum):
    """The agents that triage may call."""

    SECURITY = "security"
    TEST_FIX = "test_fix"


_RuleId = Annotated[str, *one_of([rule.id for rule in SECURITY_RULES])]
_CauseId = Annotated[str, *one_of([cause.id for cause in CAUSES])]
_Certainty = Annotated[str, *one_of([*CERTAINTY])]
_Severity = Annotated[Severity, *one_of([level.value for level in Severity])]
_Risk = Annotated[Risk, *one_of([level.value for level in Risk])]
_Reviewer = Annotated[Reviewer, *one_of([name.value for name in Reviewer])]
_Path = Annotated[str, at_most(PATH_CHARACTERS)]


class Answer(BaseModel):
    """An answer of a model: no field is unknown or missing. Fields stand in the order they are written in."""

    __test__: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_without_names)


class TriagedFile(Answer):
    """What triage says of one file."""

    path: _Path = Field(description="As it stands after ===.")
    reason: str = Field(description="At most twelve words: what the change does here.")
    risk: _Risk
    agents: list[_Reviewer]


class TriageAnswer(Answer):
    """One entry for each file of the request."""

    files: Annotated[list[TriagedFile], at_most(FILES_CAP)]


class QuotedText(Answer):
    """Text that stands in a file."""

    path: _Path
    start_line: int = Field(description="Your best guess; the text decides.")
    end_line: int
    text: Annotated[str, at_most(QUOTE_CHARACTERS)] = Field(
        description="One to six whole lines, word for word, without the diff's first column."
    )


class SecurityFinding(Answer):
    """One security fault of the change: what was seen first, then what it means."""

    quotes: Annotated[list[QuotedText], at_most(QUOTES_CAP)] = Field(
        min_length=1, description="First the line to comment on."
    )
    rule: _RuleId
    title: str = Field(description="The fault in one line.")
    body: str
    severity: _Severity
    confidence: _Certainty


class SecurityAnswer(Answer):
    """The findings; none for a change without a security fault."""

    findings: Annotated[list[SecurityFinding], at_most(MOST_FINDINGS)] = Field(
        description=f"At most {FINDINGS_CAP}."
    )


class TextEdit(Answer):
    """A replacement in one file of head."""

    path: _Path
    find: Annotated[str, at_most(EDIT_CHARACTERS, least=1)] = Field(
        description="Text of head, word for word, long enough to stand there exactly once."
    )
    replace: Annotated[str, at_most(EDIT_CHARACTERS)]


class TestFailure(Answer):
    """One cause and the failed tests that it explains."""

    evidence_ids: list[str] = Field(description="The failures with this cause, such as junit:1.")
    quotes: Annotated[list[QuotedText], at_most(QUOTES_CAP)] = Field(
        min_length=1, description="First the line that causes it."
    )
    cause: _CauseId
    title: str = Field(description="The cause in one line.")
    body: str
    confidence: _Certainty
    edits: Annotated[list[TextEdit], at_most(EDITS_CAP)] = Field(
        description="The smallest mend; empty if unsure."
    )


class TestFixAnswer(Answer):
    """Why the tests fail: one entry for each cause, every failure in one of them."""

    failures: Annotated[list[TestFailure], at_most(MOST_FINDINGS)] = Field(
        description=f"At most {FINDINGS_CAP}."
    )


def to_claims(agent: str, answer: BaseModel) -> tuple[Claim, ...]:
    """The claims in an answer, prose cut to what people read; triage makes none.

    The worst ``FINDINGS_CAP`` count; those beyond are ``surplus``, for the count of what was rejected.
    """
    claims: list[Claim] = []
    if isinstance(answer, SecurityAnswer):
        claims = [_security_claim(agent, finding) for finding in answer.findings]
    elif isinstance(answer, TestFixAnswer):
        claims = [_test_claim(agent, failure) for failure in answer.failures]
    if len(claims) <= FINDINGS_CAP:
        return tuple(claims)
    worst = sorted(range(len(claims)), key=lambda at: (-claims[at].severity.rank, at))[:FINDINGS_CAP]
    return tuple(
        claim if at in worst else replace(claim, quotes=(), edits=(), surplus=True)
        for at, claim in enumerate(claims)
    )


def _security_claim(agent: str, finding: SecurityFinding) -> Claim:
    rule = next(rule for rule in SECURITY_RULES if rule.id == finding.rule)
    title, body, severity = finding.title, finding.body, finding.severity
    if rule.id == HIDDEN_INSTRUCTION:
        # THREATS R34: said in our words, since prose about such a text may carry it on; only a notice.
        title, body, severity = HIDDEN_INSTRUCTION_TITLE, HIDDEN_INSTRUCTION_BODY, Severity.MEDIUM
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
