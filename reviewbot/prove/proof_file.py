"""``prove.json`` as another job left it: bytes that code of the change may have written -> a proof.

That job runs code of the change, so nothing is believed further than it can be held against itself: what
the two runs come to is judged again here, and the sentence is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reviewbot.core import Sha
from reviewbot.errors import EvidenceError
from reviewbot.json_rules import BadJson, read_json
from reviewbot.prove.result import Attempt, Proof, Status, judge, judge_without

PROOF_BYTES = 4 * 1024 * 1024
"""Of the file."""

PROOF_LEVELS = 6
"""Of its nesting."""

_SHA256 = r"^[0-9a-f]{64}$"
_Count = Annotated[int, Field(ge=0, le=10_000_000)]
_Text = Annotated[str, Field(max_length=200_000)]
_Name = Annotated[str, Field(min_length=1, max_length=2_000)]
_Names = Annotated[list[_Name], Field(max_length=20_000)]

_UNCHECKED: dict[Status, str] = {
    "weakened": "Not proven: the patch weakens tests.",
    "not_reproduced": "Not reproduced: the tests did not fail as reported without the patch.",
}
"""What the two runs alone do not show. Neither is a proof, so nobody gains by claiming it."""


class ProofError(EvidenceError):
    """A proof that is none, or one of something else."""

    help = "Hand on the prove.json that `reviewbot prove --out DIR` wrote in this run."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Run(_Part):
    patch: Literal["without", "with"]
    exit_code: Annotated[int, Field(ge=-255, le=255)]
    stop: Literal["exit", "seconds", "output"]
    seconds: Annotated[float, Field(ge=0, le=1_000_000)]
    source: Literal["junit", "log", ""]
    tests: _Count
    skipped: _Count
    failed: _Names
    output: _Text


class _File(_Part):
    schema_version: Literal[1]
    status: Status
    proven: bool
    sentence: _Text
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    patch_sha256: Annotated[str, Field(pattern=_SHA256)]
    paths: _Names
    command: _Text
    sandbox: Literal["bubblewrap", "none"]
    network: bool
    notes: Annotated[list[_Text], Field(max_length=100)]
    fixed: _Names
    still_failing: _Names
    newly_failing: _Names
    runs: Annotated[list[_Run], Field(min_length=1, max_length=2)]


@dataclass(frozen=True, slots=True)
class HandedProof:
    """A proof, the commit that it says it is of, and the hash of the patch that it says it tried."""

    commit: Sha
    patch_sha256: str
    proof: Proof


def parse_proof(data: bytes) -> HandedProof:
    """The proof of a ``prove.json``, judged again from the two runs that it tells of.

    Raises ProofError for anything that ``reviewbot prove`` does not write, and for a file whose runs do not
    come to what it says.
    """
    said = _parse(data)
    names = [run.patch for run in said.runs]
    if names not in (["without"], ["without", "with"]) or said.proven != (said.status == "proven"):
        raise ProofError("The proof contradicts itself.")
    attempts = [_attempt(run) for run in said.runs]
    return HandedProof(said.commit, said.patch_sha256, _judge(said, attempts))


def _parse(data: bytes) -> _File:
    try:
        return _File.model_validate(read_json(data, most=PROOF_BYTES, levels=PROOF_LEVELS))
    except BadJson as error:
        raise ProofError(f"The proof is no file of `reviewbot prove`: it {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # A key that should not be there is the file's own word, and is not repeated.
        known = [str(part) for part in first["loc"] if isinstance(part, int) or part in _KEYS]
        where = f" at {'.'.join(known)}" if known else ""
        raise ProofError(f"The proof is no file of `reviewbot prove`{where} ({first['type']}).") from None


_KEYS = frozenset({*_File.model_fields, *_Run.model_fields})


def _attempt(run: _Run) -> Attempt:
    return Attempt(
        run.exit_code,
        run.stop,
        run.seconds,
        run.source,
        run.tests,
        run.skipped,
        tuple(run.failed),
        run.output,
    )


def _judge(said: _File, attempts: Sequence[Attempt]) -> Proof:
    without, *rest = attempts
    expected = (*said.fixed, *said.still_failing)
    proof = judge_without(without, expected)
    if proof is None and said.status in _UNCHECKED:
        return Proof(said.status, _UNCHECKED[said.status], without)
    if proof is None and rest:
        proof = judge(without, rest[0], expected)
    told = (said.status, sorted(said.fixed), sorted(said.still_failing), sorted(said.newly_failing))
    if proof is None or told != (
        proof.status,
        *(list(names) for names in (proof.fixed, proof.still_failing, proof.newly_failing)),
    ):
        raise ProofError(f"The proof says {said.status!r}, and its runs do not come to that.")
    return proof
