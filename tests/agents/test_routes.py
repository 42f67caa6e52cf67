from dataclasses import replace

import pytest

from reviewbot.agents.routes import claim_every, claim_files, leave_unread, route_files, summarise
from reviewbot.agents.tasks import Entry
from reviewbot.core import Evidence, Location, Severity, Side
from tests.agents.view.test_excerpts import changed, hunk_of

PLAIN = changed("doc/area.md", hunk_of("+A rectangle has four sides."))
SHELL = changed("app/run.py", hunk_of("+    subprocess.run(f'ls {name}', shell=True)"))
CODE = replace(changed("src/area.py", hunk_of("+x = 1", "-y = 2")), added=((10, 12),), deleted=((4, 4),))
NOTHING = Entry("none", "prose", frozenset())


def reported(first: int, last: int, **more: object) -> Evidence:
    place = Location(str(more.pop("path", "src/area.py")), first, last, Side(str(more.pop("side", "RIGHT"))))
    values = {"source": "analyzer", "tool": "ruff", "severity": Severity.MEDIUM} | more
    return Evidence(id="e", rule="S1", title="t", location=place, **values)  # type: ignore[arg-type]


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
    assert "command" in routes.signals[SHELL.path]


def test_the_riskiest_file_is_first_and_among_equals_the_one_with_more_signals() -> None:
    files = [replace(PLAIN, path=f"d{risk}/x.md") for risk in ("low", "high", "medium")]
    entries = {
        f"d{risk}/x.md": Entry(risk, "x", frozenset({"security"})) for risk in ("low", "high", "medium")
    }
    assert [change.path for change in route_files(files, entries).security] == [
        "dhigh/x.md",
        "dmedium/x.md",
        "dlow/x.md",
    ]
    more = changed("b.py", hunk_of("+os.system(a)", "+eval(b)", "+yaml.load(c)"))
    assert [change.path for change in route_files([SHELL, more], {}).security] == ["b.py", "app/run.py"]


def test_among_equals_a_short_file_is_first_and_a_long_one_with_many_signals_before_a_long_one() -> None:
    plain = [f"+area_{number} = width * height" for number in range(900)]
    long = changed("long.py", hunk_of("+os.system(a)", "+eval(b)", *plain))
    longer = changed("longer.py", hunk_of("+os.system(a)", *plain, *plain))
    files = [longer, long, SHELL]
    assert [change.path for change in route_files(files, {}).security] == [
        "app/run.py",
        "long.py",
        "longer.py",
    ]


def test_a_file_that_the_code_claims_is_not_behind_one_that_nobody_looked_at() -> None:
    entries = {SHELL.path: NOTHING, "a.md": Entry("low", "x", frozenset({"security"}))}
    files = [replace(PLAIN, path="a.md"), SHELL]
    assert [change.path for change in route_files(files, entries).security] == [SHELL.path, "a.md"]


@pytest.mark.parametrize(
    ("item", "claimed"),
    [
        (reported(12, 20), True),
        (reported(1, 10), True),
        (reported(13, 20), False),
        (reported(4, 4), False),
        (reported(4, 4, side="LEFT"), True),
        (reported(10, 10, side="LEFT"), False),
        (reported(11, 11, path="src/other.py"), False),
        (reported(11, 11, severity=Severity.LOW), False),
        (reported(11, 11, severity=Severity.LOW, cwe=("CWE-703",)), False),
        (reported(11, 11, severity=Severity.LOW, cwe=("CWE-79",), source="sarif", tool="X"), True),
        (reported(11, 11, severity=Severity.HIGH, source="sarif", tool="X"), True),
        (reported(11, 11, tool="detect-secrets"), False),
        (reported(11, 11, tool="detect-secrets", severity=Severity.HIGH), True),
        (reported(11, 11, tool="reviewbot", severity=Severity.HIGH), False),
        (reported(11, 11, source="junit", tool="junit", severity=Severity.HIGH), False),
        (reported(90, 90, revision="c" * 40), True),
        (reported(90, 90, revision="b" * 40), False),
    ],
)
def test_a_security_result_on_a_changed_line_claims_its_file(item: Evidence, claimed: bool) -> None:
    names = [signal.name for signal in claim_files([CODE], [item], "b" * 40).get("src/area.py", ())]
    assert names == (["reported"] if claimed else [])
    routes = route_files([CODE], {CODE.path: NOTHING}, claim_files([CODE], [item], "b" * 40))
    assert [change.path for change in routes.security] == (["src/area.py"] if claimed else [])


def test_why_a_file_was_chosen_holds_no_word_of_triage() -> None:
    entry = Entry("high", "it logs hunter2hunter2", frozenset({"security"}))
    routes = route_files([SHELL], {SHELL.path: entry})
    assert routes.why[SHELL.path].startswith("triage: high; floor: ")
    assert "hunter2" not in summarise((SHELL, PLAIN), routes.why)
    assert summarise((SHELL, PLAIN), routes.why).endswith("(and 1 more files)")


def test_where_security_is_asked_alone_every_file_goes_there() -> None:
    files = [PLAIN, SHELL]
    claimed = claim_every(files, claim_files(files))
    routes = route_files(files, {}, claimed)
    assert {change.path for change in routes.security} == {PLAIN.path, SHELL.path}
    assert routes.why[PLAIN.path] == "floor: asked"
    assert routes.unread == ()


def test_what_an_agent_that_was_not_asked_would_have_read_is_unread() -> None:
    routes = leave_unread(route_files([PLAIN, SHELL], {PLAIN.path: NOTHING}), ["test_fix"])
    assert (routes.security, routes.why, routes.unread) == ((), {}, (SHELL.path,))
    assert set(routes.triaged) == {PLAIN.path}
    assert routes.unread_why == "only test_fix was asked"
