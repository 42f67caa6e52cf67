"""What two runs of the tests prove of a patch, and the two files that tell of it. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from reviewbot.text import one_line, visible, without_runner_commands

SCHEMA_VERSION = 1
OUTPUT_SHOWN = 8_000
"""Characters of each run's output that the JSON holds: its end."""

Status = Literal["proven", "not_reproduced", "still_failing", "worse", "weakened", "stopped", "unreadable"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the tests: counts, the ids of those that failed, and how the command ended.

    ``source`` says what the ids come from; empty: nothing that could be read, and ``unread`` says why, as
    the end of a sentence that begins with the tests. The files that are handed on do not hold it.
    """

    exit_code: int
    stop: str
    seconds: float
    source: Literal["junit", "log", ""]
    tests: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    output: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the runs ``without`` and ``with_patch`` come to. Only ``proven`` is a proof."""

    status: Status
    sentence: str
    without: Attempt
    with_patch: Attempt | None = None
    fixed: tuple[str, ...] = ()
    still_failing: tuple[str, ...] = ()
    newly_failing: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for a proof, else 1."""
        return 0 if self.status == "proven" else 1


@dataclass(frozen=True, slots=True)
class Setting:
    """What was run on what, for the reader: ``network`` is True where the command could reach it."""

    commit: str
    patch_sha256: str
    paths: tuple[str, ...]
    command: str
    sandbox: Literal["bubblewrap", "none"]
    network: bool
    notes: tuple[str, ...] = ()


def judge_without(run: Attempt, expected: Sequence[str]) -> Proof | None:
    """Why the run without the patch leaves nothing to prove, or None."""
    if ended := _judge_end(run, "without the patch"):
        return Proof(*ended, run)
    missing = [test for test in expected if _find(test, run.failed) is None]
    if missing or not run.failed:
        what = f"{_names(missing)} did not fail" if missing else "no test failed"
        return Proof("not_reproduced", f"Not reproduced: {what} without the patch.", run)
    return None


def judge(without: Attempt, with_patch: Attempt, expected: Sequence[str]) -> Proof:
    """Compare both runs: what was to be fixed passes, nothing else fails, and no test went away.

    ``expected`` are the tests to be fixed; without them all that failed are.
    """
    if ended := _judge_end(with_patch, "with the patch"):
        return Proof(*ended, without, with_patch)
    wanted = {found for test in expected if (found := _find(test, without.failed))} or set(without.failed)
    before, after = set(without.failed), set(with_patch.failed)
    fixed, still, new = (tuple(sorted(s)) for s in (before - after, wanted & after, after - before))
    status, sentence = _verdict(without, with_patch, still, new)
    if status == "proven":
        others = max(0, with_patch.tests - with_patch.skipped - len(fixed) - len(after))
        known = f", {len(after)} that failed before still fail" if after else ""
        verb = "passes" if len(fixed) == 1 else "pass"
        sentence = f"Proven: {_names(fixed)} {verb}, {others} others unchanged{known}."
    return Proof(status, sentence, without, with_patch, fixed, still, new)


def _verdict(
    without: Attempt, with_patch: Attempt, still: tuple[str, ...], new: tuple[str, ...]
) -> tuple[Status, str]:
    if still:
        return "still_failing", f"Not proven: {_names(still)} still fail{'s' if len(still) == 1 else ''}."
    if new:
        return "worse", f"Not proven: {_names(new)} failed with the patch only."
    if with_patch.tests < without.tests:
        return "worse", f"Not proven: {without.tests - with_patch.tests} tests no longer ran with the patch."
    if with_patch.skipped > without.skipped:
        more = with_patch.skipped - without.skipped
        return "worse", f"Not proven: {more} more tests were skipped with the patch."
    if with_patch.exit_code and not with_patch.failed:
        code = with_patch.exit_code
        return "worse", f"Not proven: no test failed with the patch, but the command ended with {code}."
    return "proven", ""


def _judge_end(run: Attempt, when: str) -> tuple[Status, str] | None:
    if run.stop == "seconds":
        return "stopped", f"Not proven: the tests {when} took longer than they may ({run.seconds:.0f} s)."
    if run.stop == "output":
        return "stopped", f"Not proven: the tests {when} wrote more output than they may."
    if not run.source:
        what = run.unread or "left no JUnit file and no output that is known"
        return "unreadable", f"Not proven: the tests {when} {what} (the command ended with {run.exit_code})."
    return None


def _find(test: str, failed: Sequence[str]) -> str | None:
    """The id that a test goes by: ``tests/test_x.py::T::test_a`` and ``tests.test_x.T::test_a`` are one."""
    wanted = _plain(test)
    return next((one for one in failed if _plain(one) == wanted), None)


def _plain(test: str) -> str:
    return re.sub(r"::|/", ".", test.replace(".py::", "::"))


def _names(tests: Sequence[str]) -> str:
    shown = ", ".join(one_line(test, 120) for test in tests[:3])
    return shown + (f" and {len(tests) - 3} more" if len(tests) > 3 else "")


def render_proof_json(proof: Proof, setting: Setting) -> str:
    """``prove.json``, schema_version 1."""
    runs = [("without", proof.without), ("with", proof.with_patch)]
    document = {
        "schema_version": SCHEMA_VERSION,
        "status": proof.status,
        "proven": proof.status == "proven",
        "sentence": proof.sentence,
        **asdict(setting),
        "fixed": proof.fixed,
        "still_failing": proof.still_failing,
        "newly_failing": proof.newly_failing,
        "runs": [{"patch": name, **_plain_run(run)} for name, run in runs if run],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, default=list)
    return text.encode("utf-8", "replace").decode() + "\n"


def _plain_run(run: Attempt) -> dict[str, object]:
    plain = {**asdict(run), "output": visible(run.output[-OUTPUT_SHOWN:])}
    del plain["unread"]
    return plain


def render_proof_junit(proof: Proof) -> str:
    """``prove.junit.xml``: one case for the proof, one for each test it speaks of."""
    cases = [("proof", "" if proof.status == "proven" else proof.sentence)]
    cases += [(test, "") for test in proof.fixed]
    cases += [(test, "It still fails with the patch.") for test in proof.still_failing]
    cases += [(test, "It fails with the patch only.") for test in proof.newly_failing]
    failures = sum(bool(why) for _, why in cases)
    rows = (
        f'  <testcase classname="reviewbot.prove" name={_attribute(name)} time="0"'
        + (f"><failure message={_attribute(why)}/></testcase>\n" if why else "/>\n")
        for name, why in cases
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name="reviewbot prove" tests="{len(cases)}" failures="{failures}" errors="0" '
        'skipped="0">\n'
        f"{''.join(rows)}  <system-out>{escape(_clean(proof.sentence))}</system-out>\n</testsuite>\n"
    )


def _attribute(text: str) -> str:
    return quoteattr(_clean(one_line(text, 500)))


def _clean(text: str) -> str:
    """Text that XML can hold and no workflow runner takes for a command."""
    shown = without_runner_commands(visible(text))
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", shown)
