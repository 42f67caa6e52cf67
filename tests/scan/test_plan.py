"""What a scan reads first: real packages with planted faults, and a tenth of the money for them."""

from collections import Counter
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from reviewbot.change.policy_file import Asked
from reviewbot.core import Review
from reviewbot.journal import Journal
from reviewbot.request import Request
from reviewbot.scan.options import ScanOptions
from reviewbot.scan.run import scan_local
from reviewbot.testing import ScriptedModel
from tests.repositories import Sandbox

PLAIN = "".join(f"def area{n}(width, height):\n    return width * height + {n}\n\n\n" for n in range(30))
FLASK = "from flask import request\n\n\n"
FAULTS = {
    "shop/orders.py": f"import subprocess\n{FLASK}"
    'def export():\n    subprocess.run("convert " + request.args["name"], shell=True)\n',
    "shop/users.py": f"{FLASK}def find(cursor):\n"
    '    cursor.execute("SELECT * FROM users WHERE name = \'" + request.args["name"] + "\'")\n',
    "jinja2/preview.py": f'{FLASK}def preview():\n    return eval(request.args["expression"])\n',
    "requests/restore.py": f"import pickle\n{FLASK}def restore():\n    return pickle.loads(request.data)\n",
}


def real_tree() -> dict[str, str]:
    """Two installed packages, and among their files four short ones with a fault at the end."""
    files: dict[str, str] = {}
    for name in ("jinja2", "requests"):
        found = find_spec(name)
        assert found is not None and found.origin is not None
        folder = Path(found.origin).parent
        files |= {f"{name}/{path.name}": path.read_text("utf-8") for path in folder.glob("*.py")}
    return {**files, **{path: PLAIN + text for path, text in FAULTS.items()}}


def scan(sandbox: Sandbox, budget_usd: float, *, batch: bool = False) -> Review:
    with ScriptedModel("reader") as model:
        overrides = {"engine": "claude", "budget_usd": budget_usd, "analyzers": ()}
        environment = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": model.base_url}
        request = Request(folder=sandbox.folder, asked=Asked(overrides=overrides), environment=environment)
        options = ScanOptions(batch=batch)
        review = scan_local(request, None, Journal(), lambda _: nullcontext(), options)
        assert model.refused == []
    return review


def found_in(review: Review) -> Counter[str]:
    places = (each.location for each in review.findings)
    return Counter(place.path for place in places if place is not None)


def test_a_tenth_of_the_money_finds_every_planted_fault_live_and_in_batches(sandbox: Sandbox) -> None:
    sandbox.commit(real_tree())
    whole = scan(sandbox, 50.0)
    assert whole.cost_usd is not None
    assert set(found_in(whole)) > set(FAULTS)
    for batch in (False, True):
        tenth = scan(sandbox, whole.cost_usd / 10, batch=batch)
        assert [reason.code for reason in tenth.verdict.reasons] == ["budget"]
        assert tenth.cost_usd is not None and tenth.cost_usd <= whole.cost_usd / 10
        assert tenth.coverage.reviewed_lines < whole.coverage.reviewed_lines / 2
        assert set(found_in(tenth)) >= set(FAULTS)
