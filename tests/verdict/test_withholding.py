import base64
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.claims import Claim, Edit, Outcome, Quote, Stop, Task
from reviewbot.core import (
    ChangeSet,
    Conclusion,
    Coverage,
    CoverageRow,
    CoverageStatus,
    Evidence,
    Finding,
    Frame,
    GateRules,
    Location,
    Rejected,
    Review,
    Trigger,
    TriggerKind,
)
from reviewbot.evidence.known_formats import find_known_formats
from reviewbot.secrets.masking import Masker
from reviewbot.severity import Severity
from reviewbot.verdict.gate import decide
from reviewbot.verdict.withholding import WITHHELD, withhold

SECRET = "sk-ant-api03-Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1Qw0"
SHA = "1" * 40
AT = Location("a.py", 1, 1)


def review(said: str = "", shown: str = "") -> Review:
    """A review that passes, in which a model said one text and the change shows another."""
    row = CoverageRow("a.py", CoverageStatus.TRIAGED, ("triage",), said, 1, 0)
    coverage = Coverage((row,))
    claim = Claim(
        "security",
        "xss",
        Severity.LOW,
        0.9,
        said,
        said,
        (Quote("a.py", 1, 1, said),),
        (Edit("a.py", said, said),),
    )
    agent = Evidence("C1", "agent", "security", "xss", Severity.LOW, said, said, AT, edits=claim.edits)
    program = Evidence("A1", "analyzer", "ruff", "S1", Severity.LOW, shown, shown, AT)
    findings = tuple(
        Finding("f" * 16, item, AT, True, quote=shown, frame=Frame(1, (shown,))) for item in (agent, program)
    )
    return Review(
            trigger=Trigger("r", TriggerKind.LOCAL, "o/r", "a", SHA, SHA, SHA),
            changes=ChangeSet(SHA, SHA, ()),
            verdict=decide((), coverage, (), GateRules()),
            coverage=coverage,
            evidence=(agent, program),
            findings=findings,
            rejected=(Rejected("agent", "security/xss", said, said),),
            outcomes=(Outcome(Task("security", ("a.py",), reason=said), "m", "low", Stop.DONE, (claim,), detail=said),),
    )  # fmt: skip


def in_base64(secret: str, before: str) -> str:
    return base64.b64encode(f"{before}{secret}, and more".encode()).decode()


Spell = Callable[[str], str]

SPELLINGS: list[Spell] = [
    str,
    lambda s: s[::-1],
    " ".join,
    "\u200b".join,
    "<U+200B>".join,
    ".\n".join,
    lambda s: s.encode().hex(),
    lambda s: s.encode().hex().upper(),
    lambda s: s.encode().hex(":"),
    lambda s: "".join(f"\\x{b:02x}" for b in s.encode()),
    lambda s: "".join(f"%{b:02X}" for b in s.encode()),
    lambda s: quote(s, safe=""),
    lambda s: base64.b64encode(s.encode()).decode(),
    lambda s: in_base64(s, "x"),
    lambda s: in_base64(s, "xy"),
    lambda s: base64.urlsafe_b64encode(f"xyz{s}?>".encode()).decode(),
    lambda s: base64.encodebytes(f"one line {s} {s}".encode()).decode(),
]


@pytest.mark.parametrize("number", range(len(SPELLINGS)))
def test_a_held_secret_in_any_spelling_is_withheld_and_ends_the_pass(number: int) -> None:
    spelled = SPELLINGS[number](SECRET)
    before = review(f"The key is {spelled} here")
    assert before.verdict.conclusion is Conclusion.PASS
    after = withhold(before, Masker(held=(SECRET,)))
    assert spelled not in repr(after) and repr(after).count(WITHHELD) >= 9
    assert (after.verdict.conclusion, after.verdict.exit_code) == (Conclusion.INCOMPLETE, 1)
    assert after.verdict.reasons[-1].code == "withheld"
    assert after.coverage.files[0].path == "a.py" and after.outcomes[0].task.paths == ("a.py",)


@given(
    st.text("abcdefgXYZW0189-_+/.~!%", min_size=8, max_size=60),
    st.text(max_size=20),
    st.text(max_size=20),
    st.sampled_from(SPELLINGS),
)
def test_no_spelling_of_any_secret_is_left_between_any_words(
    secret: str, one: str, other: str, spell: Spell
) -> None:
    spelled = spell(secret)
    after = withhold(review(f"{one} {spelled} {other}"), Masker(held=(secret,)))
    assert spelled not in after.evidence[0].message and after.verdict.exit_code == 1


def test_a_long_part_of_a_secret_is_withheld_and_its_known_beginning_is_not() -> None:
    after = withhold(review(f"it ends with {SECRET[20:]}"), Masker(held=(SECRET,)))
    assert SECRET[-16:] not in repr(after) and after.verdict.exit_code == 1
    before = review("a key that begins with sk-ant-api03- is one of Anthropic's")
    assert withhold(before, Masker(held=(SECRET,))) == before


def test_a_held_secret_in_the_code_is_masked_and_noted_but_is_no_word_of_a_model() -> None:
    after = withhold(review(shown=f"key = '{SECRET}'"), Masker(held=(SECRET,)))
    assert SECRET not in repr(after) and after.findings[0].quote == f"key = '{WITHHELD}'"
    assert after.verdict.conclusion is Conclusion.PASS and "hidden in" in after.notes[-1]


def test_secrets_of_the_change_are_withheld_from_what_a_model_said_only() -> None:
    masker = Masker(values=("hunter2hunter2", "Zq8-old"))
    after = withhold(review("it is hunter2hunter2", "hunter2hunter2"), masker)
    assert after.evidence[0].message == f"it is {WITHHELD}" and after.evidence[1].message == "hunter2hunter2"
    assert after.verdict.exit_code == 1


def test_a_plain_word_that_may_be_a_password_is_withheld_without_ending_the_pass() -> None:
    after = withhold(review("the name accessToken is used"), Masker(values=("accessToken",)))
    assert "accessToken" not in repr(after) and after.verdict.conclusion is Conclusion.PASS
    assert "password" in after.notes[-1]


def test_known_formats_and_keys_in_what_a_model_said_are_withheld() -> None:
    token = "ghp_" + "Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1"
    key = "-----BEGIN PRIVATE KEY-----\n" + "Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1Qw0Zq8fWm2LxT9vKd4RbN7cYh5J"
    for said in (token, key):
        after = withhold(review(f"use {said}"), Masker(find=find_known_formats))
        assert said[-30:] not in repr(after) and after.verdict.exit_code == 1


def test_a_review_that_fails_stays_one_and_a_clean_one_is_untouched() -> None:
    before = review("nothing to see", "x = 1")
    assert (
        withhold(before, Masker(held=(SECRET,), values=("hunter2hunter2",), find=find_known_formats))
        is not None
    )
    assert withhold(before, Masker(held=(SECRET,))) == before
    failed = replace(
        before, verdict=replace(before.verdict, conclusion=Conclusion.FAIL, exit_code=1, blocking=("f" * 16,))
    )
    said = replace(failed, evidence=review(SECRET).evidence)
    assert withhold(said, Masker(held=(SECRET,))).verdict.conclusion is Conclusion.FAIL


def test_a_fix_in_which_a_secret_stands_is_withheld_whole() -> None:
    patch = f"+key = '{SECRET}'\n".encode()
    after = withhold(replace(review("fine"), patch=patch), Masker(held=(SECRET,)))
    assert after.patch == b"" and "withheld" in after.notes[-1]
    after = withhold(replace(review("is hunter2hunter2"), patch=b"+x\n"), Masker(values=("hunter2hunter2",)))
    assert after.patch == b""
    assert withhold(replace(review("fine"), patch=b"+x\n"), Masker(held=(SECRET,))).patch == b"+x\n"
