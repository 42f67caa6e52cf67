from pathlib import Path

from reviewbot.change.changeset import load_change_set
from reviewbot.change.git import Repository
from reviewbot.claims import Claim, Edit, Quote
from reviewbot.core import Severity
from reviewbot.verdict.quotes import ground_claims
from tests.repositories import Sandbox

TEST = "def test_a():\n    assert add(1, 2) == 3\n"


def test_an_edit_that_weakens_a_test_is_removed_and_counted_and_the_others_stay(sandbox: Sandbox) -> None:
    base = sandbox.commit({"calc.py": "def add(a, b):\n    return a + b\n", "test_calc.py": TEST})
    head = sandbox.commit({"calc.py": "def add(a, b):\n    return a - b\n"})
    good, bad = Edit("calc.py", "a - b", "a + b"), Edit("test_calc.py", "== 3", ">= -1")
    quote = Quote("calc.py", 2, 2, "    return a - b")
    claim = Claim("test_fix", "change-broke-code", Severity.MEDIUM, 0.9, "t", "b", (quote,), (good, bad))
    with Repository(Path(sandbox.folder)) as repository:
        changes = load_change_set(repository, base, head)
        [evidence], [rejected] = ground_claims([claim], changes, repository)
    assert evidence.edits == (good,)
    assert rejected.why == "edit removed: it weakens a test: it loosens an assertion"
    assert rejected.path == "test_calc.py"
