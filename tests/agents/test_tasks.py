from dataclasses import replace

import pytest

from reviewbot.agents.answers import TriageAnswer
from reviewbot.agents.excerpts import estimate_tokens, render_file
from reviewbot.agents.tasks import (
    Entry,
    plan_security,
    plan_test_fix,
    plan_triage,
    read_entries,
    render_failures,
    route_files,
    select_readable,
)
from reviewbot.core import ChangeSet, Evidence, Location, Severity
from reviewbot.errors import RepositoryError
from tests.agents.test_excerpts import changed, hunk_of

PLAIN = changed("doc/area.md", hunk_of("+A rectangle has four sides."))
SHELL = changed("app/run.py", hunk_of("+    subprocess.run(f'ls {name}', shell=True)"))
NOTHING = Entry("none", "prose", frozenset())


def failed(number: int, message: str, trace: str = "", path: str = "") -> Evidence:
    return Evidence(
        id=f"junit:{number}", source="junit", tool="junit", rule="failure", severity=Severity.HIGH, title=f"t{number}",
        message=message, trace=trace, location=Location(path, 3, 3) if path else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "goes"),
    [
        (NOTHING, "triaged"),
        (Entry("low", "x", frozenset()), "triaged"),
        (Entry("low", "x", frozenset({"test_fix"})), "triaged"),
        (Entry("low", "x", frozenset({"security"})), "security"),
        (Entry("medium", "x", frozenset()), "security"),
        (Entry("high", "x", frozenset()), "security"),
        (None, "unread"),
    ],
)
def test_triage_adds_attention(entry: Entry | None, goes: str) -> None:
    routes = route_files([PLAIN], {PLAIN.path: entry} if entry else {})
    found = {
        "security": [change.path for change in routes.security],
        "triaged": list(routes.triaged),
        "unread": list(routes.unread),
    }
    assert found == {"security": [], "triaged": [], "unread": [], goes: [PLAIN.path]}


@pytest.mark.parametrize("entry", [NOTHING, None])
def test_what_the_floor_claims_goes_to_security_whatever_triage_says(entry: Entry | None) -> None:
    routes = route_files([SHELL], {SHELL.path: entry} if entry else {})
    assert [change.path for change in routes.security] == [SHELL.path]
    assert routes.why[SHELL.path].startswith("floor: ")


def test_the_riskiest_file_is_first() -> None:
    files = [replace(PLAIN, path=f"d{risk}/x.md") for risk in ("low", "high", "medium")]
    entries = {
        f"d{risk}/x.md": Entry(risk, "x", frozenset({"security"})) for risk in ("low", "high", "medium")
    }
    assert [change.path for change in route_files(files, entries).security] == [
        "dhigh/x.md",
        "dmedium/x.md",
        "dlow/x.md",
    ]


def test_a_file_named_twice_keeps_the_higher_risk_and_strangers_count_for_nothing() -> None:
    answer = TriageAnswer.model_validate(
        {
            "files": [
                {"path": "doc/area.md", "risk": "high", "reason": "worse", "agents": []},
                {"path": "doc/area.md", "risk": "none", "reason": "fine", "agents": ["test_fix"]},
                {"path": "/etc/passwd", "risk": "none", "reason": "fine", "agents": []},
            ]
        }
    )
    assert read_entries(answer, [PLAIN, SHELL]) == {
        "doc/area.md": Entry("high", "worse", frozenset({"test_fix"}))
    }
    assert read_entries(None, [PLAIN]) == {}


def test_triage_batches_stay_under_the_cheap_band() -> None:
    files = [changed(f"d{n}/f.py", hunk_of(*["+" + "x" * 90] * 200)) for n in range(60)]
    batches = plan_triage(files)
    assert len(batches) > 1
    assert max(sum(estimate_tokens(render_file(part)) for part in batch) for batch in batches) <= 80_000
    assert {part.path for batch in batches for part in batch} == {change.path for change in files}
    assert len(plan_triage(files, smaller=True)) > len(batches)


def test_a_security_task_leaves_room_for_tools() -> None:
    files = [changed(f"d{n}/f.py", hunk_of(*["+" + "x" * 90] * 400)) for n in range(6)]
    for batch in plan_security(files, 50_000):
        assert sum(estimate_tokens(render_file(part)) for part in batch) <= 30_000


def test_what_has_no_lines_is_asked_of_nobody_and_what_cannot_be_read_says_why() -> None:
    copy = replace(changed("copy.py"), added=((1, 9),))
    files = (
        PLAIN, replace(PLAIN, path="x.lock"), replace(PLAIN, path="big", omitted="too large"), changed("moved.py"),
        replace(PLAIN, path="b", is_binary=True), replace(PLAIN, path=".env"), copy,
        replace(PLAIN, path="sub", head_mode="160000"), replace(PLAIN, path="y.txt", old_path="id_rsa"),
    )  # fmt: skip

    def read(sha: str) -> bytes:
        raise RepositoryError("it is not in this clone")

    readable = select_readable(ChangeSet("1" * 40, "2" * 40, files), {"x.lock"}, read)
    assert [change.path for change in readable.files] == [PLAIN.path]
    assert readable.failed == {"copy.py": "it is not in this clone"}
    assert readable.withheld == (".env", "y.txt")


def test_equal_failures_share_a_trace_and_what_finds_no_room_is_not_called_shown() -> None:
    same = [failed(n, f"timed out after {n} s", "trace\n" * 10) for n in range(5)]
    text, shown = render_failures(same)
    assert text.count("timed out") == 1 and [item.id for item in shown] == [f"junit:{n}" for n in range(5)]
    other = [failed(n, "m" + "abcdefghijklmnopqrstuvwxyz"[n] * 20, "t" * 9_000) for n in range(26)]
    text, shown = render_failures(other)
    assert len(text) <= 45_000 and 0 < len(shown) < 26
    assert all(f"{item.id}:" in text for item in shown)


def test_the_files_that_failures_name_are_shown_first_and_only_as_many_as_fit() -> None:
    big = changed("a/big.py", hunk_of(*["+" + "x" * 90] * 200))
    named = changed("z/named.py", hunk_of("+x"))
    said = changed("m/said.py", hunk_of("+x"))
    evidence = [failed(1, "boom", 'File "/ci/m/said.py", line 3', path="z/named.py")]
    shown = plan_test_fix([big, PLAIN, said, named], evidence, {}, 500)
    assert [change.path for change in shown] == ["z/named.py", "m/said.py", "doc/area.md"]
