import pytest

from reviewbot.change.exclusions import excluded_by_rule
from reviewbot.core import ChangeStatus, FileChange


def change(
    path: str, *, binary: bool = False, mode: str = "100644", head: str | None = "b" * 40
) -> FileChange:
    return FileChange(path, None, ChangeStatus.MODIFIED, "100644", mode, "a" * 40, head, is_binary=binary)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("package-lock.json", "lock file"), ("sub/Cargo.lock", "lock file"), ("go.sum", "lock file"),
        ("vendor/x/y.go", "vendored file"), ("web/node_modules/a/index.js", "vendored file"),
        ("third_party/z.c", "vendored file"), ("static/app.min.js", "generated file"),
        ("api/v1_pb2.py", "generated file"), ("x.pb.go", "generated file"),
        ("src/app.py", None), ("vendor.py", None), ("lib/vendors/x.py", None), ("admin.js", None),
        ("package.json", None), ("docs/go.sum.md", None), (".github/workflows/pnpm-lock.yaml", None),
    ],
)  # fmt: skip
def test_names_decide_by_named_rules(path: str, rule: str | None) -> None:
    assert excluded_by_rule(change(path), {}) == rule


def test_attributes_exclude_and_include() -> None:
    assert (
        excluded_by_rule(change("a.py"), {"linguist-generated": "set"})
        == "linguist-generated at the policy commit"
    )
    assert excluded_by_rule(change("a.py"), {"linguist-generated": "true"}) is not None
    assert excluded_by_rule(change("vendor/a.py"), {"linguist-vendored": "false"}) is None
    assert excluded_by_rule(change("vendor/a.py"), {"linguist-vendored": "unspecified"}) == "vendored file"


def test_binaries_and_submodules_are_excluded_whatever_their_name() -> None:
    assert excluded_by_rule(change("a.bin", binary=True), {}) == "binary file"
    assert excluded_by_rule(change("lib", mode="160000"), {}) == "submodule"


def test_deletions_and_hidden_text_are_never_excluded() -> None:
    assert excluded_by_rule(change("vendor/a.py", head=None), {}) is None
    hidden = FileChange(
        "vendor/a.sh", None, ChangeStatus.ADDED, "000000", "100644", None, "b" * 40, omitted="NUL"
    )
    assert excluded_by_rule(hidden, {}) is None
