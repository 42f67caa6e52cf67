from reviewbot.core import ChangeSet, ChangeStatus, CoverageStatus, FileChange
from reviewbot.verdict.coverage import Readers, build_coverage


def change(path: str, **values: object) -> FileChange:
    defaults: dict[str, object] = {
        "added_lines": 2,
        "added": ((1, 2),),
        "deleted_lines": 1,
        "head_blob": "b" * 40,
    }
    fields = {**defaults, **values}
    return FileChange(path, None, ChangeStatus.MODIFIED, "100644", "100644", "a" * 40, **fields)  # type: ignore[arg-type]


def test_every_changed_file_has_exactly_one_row() -> None:
    changes = ChangeSet(
        "a" * 40,
        "b" * 40,
        (
            change("read.py"),
            change("lock"),
            change("crashed.py"),
            change("hidden.sh", omitted="source code that holds a NUL byte", added=(), added_lines=0),
            change("gone.py", head_blob=None, added=(), added_lines=0),
            change("renamed.py", added=(), added_lines=0, deleted_lines=0),
            change("forgotten.c"),
        ),
    )
    coverage = build_coverage(
        changes,
        {"lock": "lock file"},
        {"read.py": ("ruff", "detect-secrets"), "crashed.py": ("detect-secrets",)},
        {"crashed.py": "ruff crashed"},
    )
    assert [(row.path, str(row.status), row.by, row.reason) for row in coverage.files] == [
        ("read.py", "reviewed", ("ruff", "detect-secrets"), ""),
        ("lock", "excluded", (), "lock file"),
        ("crashed.py", "unreviewed", ("detect-secrets",), "ruff crashed"),
        ("hidden.sh", "unreviewed", (), "source code that holds a NUL byte"),
        ("gone.py", "reviewed", ("reviewbot",), "nothing to scan"),
        ("renamed.py", "reviewed", ("reviewbot",), "nothing to scan"),
        ("forgotten.c", "unreviewed", (), "no analyzer read it"),
    ]
    assert coverage.added_lines == 8
    assert coverage.reviewed_lines == 2
    assert coverage.count(CoverageStatus.UNREVIEWED) == 3


def test_with_agents_an_analyzer_alone_is_no_review_but_where_no_model_may_look() -> None:
    names = ("read.py", "let_be.py", "outage.py", "left.py", ".env", "gone.py")
    changes = ChangeSet(
        "a" * 40,
        "b" * 40,
        tuple(change(name, **({"head_blob": None} if name == "gone.py" else {})) for name in names),
    )
    agents = Readers(
        reviewed={"read.py": ("triage", "security")},
        triaged={"let_be.py": "a typing error in a comment"},
        failed={"outage.py": "the provider did not answer"},
        causes={"outage.py": "provider_outage"},
        withheld=frozenset({".env"}),
    )
    scanned = dict.fromkeys(names, ("detect-secrets",))

    coverage = build_coverage(changes, {}, scanned, {}, agents)

    assert [(row.path, str(row.status), row.by, row.reason, row.cause) for row in coverage.files] == [
        ("read.py", "reviewed", ("triage", "security", "detect-secrets"), "", ""),
        ("let_be.py", "triaged", ("triage", "detect-secrets"), "a typing error in a comment", ""),
        ("outage.py", "unreviewed", ("detect-secrets",), "the provider did not answer", "provider_outage"),
        ("left.py", "unreviewed", ("detect-secrets",), "no agent read it", ""),
        (".env", "reviewed", ("detect-secrets",), "key material, never shown to a model", ""),
        ("gone.py", "reviewed", ("reviewbot",), "nothing to scan", ""),
    ]
