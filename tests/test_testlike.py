import pytest

from reviewbot.testlike import is_test_path


@pytest.mark.parametrize(
    "path",
    [
        "tests/a.py",
        "app/test_views.py",
        "pkg/store_test.go",
        "src/Button.spec.tsx",
        "src/__tests__/a.js",
        "conftest.py",
        "src/main/UserTest.java",
        "src/StoreIT.java",
        "Tests/Basket.cs",
    ],
)
def test_the_usual_names_of_tests_are_known(path: str) -> None:
    assert is_test_path(path)


@pytest.mark.parametrize(
    "path", ["src/git.py", "app/commit.ts", "latest.py", "contest.go", "audit.rb", "inspect.c", "edit.vue"]
)
def test_a_name_that_only_ends_like_that_of_a_test_is_none(path: str) -> None:
    assert not is_test_path(path)
