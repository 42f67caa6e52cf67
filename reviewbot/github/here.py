"""The repository and the token that an environment names, as a runner and people at a shell set them."""

from collections.abc import Mapping

from reviewbot.github.api import GitHub, SharedPolicy

TOKENS = ("GITHUB_TOKEN", "GH_TOKEN", "INPUT_GITHUB-TOKEN")

NOT_READ = SharedPolicy(
    "Organisation's policy: not read here, only in `reviewbot action`; with GITHUB_REPOSITORY and "
    "GITHUB_TOKEN set `config` shows it."
)


def token_here(environment: Mapping[str, str]) -> str:
    """The first token that is set, or empty."""
    return next((environment[name].strip() for name in TOKENS if environment.get(name, "").strip()), "")


def connect_here(environment: Mapping[str, str], token: str) -> GitHub:
    """A connection to the server that the environment names, by default GitHub's own. Raises UsageError."""
    return GitHub(
        token,
        api_url=environment.get("GITHUB_API_URL") or "https://api.github.com",
        graphql_url=environment.get("GITHUB_GRAPHQL_URL") or "https://api.github.com/graphql",
    )


def shared_policy_here(environment: Mapping[str, str]) -> SharedPolicy:
    """The policy of the owner of the repository that the environment names; NOT_READ where it names none.

    One request; where it fails the sentence says so. Raises UsageError.
    """
    token, repository = token_here(environment), environment.get("GITHUB_REPOSITORY", "")
    if not (token and repository):
        return NOT_READ
    return connect_here(environment, token).read_shared_policy(repository)
