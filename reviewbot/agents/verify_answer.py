"""What the verifying agent may answer about one claim: the lines first, the judgement last."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reviewbot.agents.answers import QUOTES_CAP, Answer, QuotedText, at_most, one_of


class Judgement(StrEnum):
    """What became of a claim."""

    STANDS = "stands"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


class VerifyAnswer(Answer):
    """The judgement of one claim, with the lines that decide it."""

    quotes: Annotated[list[QuotedText], at_most(QUOTES_CAP)] = Field(description="The deciding line first.")
    why: str = Field(description="What these lines do, in one to three sentences.")
    judgement: Annotated[Judgement, *one_of([name.value for name in Judgement])]
