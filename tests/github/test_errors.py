import pytest

from reviewbot.github.errors import (
    GitHubDenied,
    GitHubError,
    GitHubLost,
    GitHubNotFound,
    GitHubRefused,
    graphql_error,
    refusal,
)


@pytest.mark.parametrize(
    ("status", "headers", "message", "kind", "words"),
    [
        (401, {}, "Bad credentials", GitHubDenied, "Bad credentials"),
        (403, {}, "Resource not accessible by integration", GitHubDenied, "not accessible"),
        (
            403,
            {"x-accepted-github-permissions": "checks=write"},
            "no",
            GitHubDenied,
            "it accepts checks=write",
        ),
        (403, {"retry-after": "9000"}, "slow down", GitHubError, "rate limit"),
        (403, {}, "You have exceeded a secondary rate limit.", GitHubError, "rate limit"),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1893456000"},
            "x",
            GitHubError,
            "until 00:00 UTC",
        ),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"},
            "x",
            GitHubError,
            "an unknown time",
        ),
        (429, {}, None, GitHubError, "rate limit"),
        (404, {}, "Not Found", GitHubNotFound, "hides it"),
        (422, {}, "Validation Failed", GitHubRefused, "Validation Failed"),
        (502, {}, None, GitHubLost, "status 502"),
        (302, {}, "x\n::error::y", GitHubError, "status 302: x ::error::y"),
    ],
)
def test_each_refusal_has_its_kind(
    status: int, headers: dict[str, str], message: str | None, kind: type[GitHubError], words: str
) -> None:
    error = refusal(status, {"message": message} if message else "<html>", headers)
    assert type(error) is kind
    assert words in str(error)
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("errors", "details"),
    [
        (["Path could not be resolved"], ("Path could not be resolved",)),
        (
            [{"resource": "Review", "code": "custom", "message": "m", "field": "line"}],
            ("Review line custom m",),
        ),
        ("one text", ("one text",)),
        (None, ()),
        ([None, 3], ("None", "3")),
    ],
)
def test_the_messages_of_a_422_are_kept(errors: object, details: tuple[str, ...]) -> None:
    error = refusal(422, {"message": "m", "errors": errors}, {})
    assert isinstance(error, GitHubRefused)
    assert error.details == details


def test_the_errors_of_graphql_have_the_same_kinds() -> None:
    kinds = {
        "NOT_FOUND": GitHubNotFound,
        "FORBIDDEN": GitHubDenied,
        "RATE_LIMITED": GitHubError,
        "X": GitHubError,
    }
    for kind, expected in kinds.items():
        assert type(graphql_error({"type": kind, "message": "why"})) is expected
    assert "could not answer" in str(graphql_error("nonsense"))
