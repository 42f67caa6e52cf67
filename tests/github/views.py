"""State as GitHub's REST answers spell it. Required fields without a meaning here are filled with the least."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tests.github.contract import contract
from tests.github.served import DiffFile
from tests.github.state import (
    Artifact,
    CheckRun,
    Issue,
    IssueComment,
    Job,
    Pull,
    Repository,
    Review,
    ReviewComment,
    State,
)

MOST_LISTED_FILES = 3_000


def user(state: State, login: str) -> dict[str, Any]:
    """A person or, ``[bot]`` at the end of the name, an app."""
    kind = "Bot" if login.endswith("[bot]") else "User"
    url = f"{state.origin}/api/users/{quote(login)}"
    return contract().fill("simple-user", {"login": login, "id": _number(login), "type": kind, "url": url})


def own_user(state: State, login: str) -> dict[str, Any]:
    """GET /user."""
    known = {**user(state, login), "user_view_type": "public"}
    return contract().fill("public-user", known)


def repository(state: State, found: Repository, schema: str = "full-repository") -> dict[str, Any]:
    """``schema`` is full-repository or, inside a pull request, repository."""
    url, page = repository_url(state, found), f"{state.origin}/{found.name}"
    known = {
        "id": found.id,
        "name": found.name.partition("/")[2],
        "full_name": found.name,
        "owner": user(state, found.name.partition("/")[0]),
        "private": True,
        "url": url,
        "html_url": page,
        "clone_url": f"{page}.git",
        "default_branch": found.default_branch,
        "size": found.size_kib,
    }
    return contract().fill(schema, known)


def repository_url(state: State, found: Repository) -> str:
    """Where the API has a repository."""
    return f"{state.origin}/api/repos/{found.name}"


def pull_urls(state: State, found: Repository, pull: Pull) -> dict[str, str]:
    """The addresses of a pull request that clients follow."""
    url, page = repository_url(state, found), f"{state.origin}/{found.name}/pull/{pull.number}"
    return {
        "url": f"{url}/pulls/{pull.number}",
        "issue_url": f"{url}/issues/{pull.number}",
        "comments_url": f"{url}/issues/{pull.number}/comments",
        "review_comments_url": f"{url}/pulls/{pull.number}/comments",
        "review_comment_url": f"{url}/pulls/comments{{/number}}",
        "commits_url": f"{url}/pulls/{pull.number}/commits",
        "statuses_url": f"{url}/statuses/{pull.head_sha}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
    }


def pull_request(state: State, found: Repository, pull: Pull) -> dict[str, Any]:
    """GET pulls/{n}."""
    files = found.diff(pull)
    urls = pull_urls(state, found, pull)
    known: dict[str, Any] = {
        **urls,
        "id": pull.number + 500_000,
        "number": pull.number,
        "title": pull.title,
        "state": pull.state,
        "draft": pull.draft,
        "merged": pull.merged,
        "user": user(state, pull.author),
        "created_at": pull.created_at,
        "base": _end(state, found, pull.base_ref, pull.base_sha, found.name),
        "head": _end(state, found, pull.head_ref, pull.head_sha, pull.head_repository),
        "additions": sum(each.additions for each in files),
        "deletions": sum(each.deletions for each in files),
        "changed_files": len(files),
        "comments": len(pull.issue_comments),
        "review_comments": len(pull.review_comments),
        "_links": {
            name: {"href": urls[field]}
            for name, field in {
                "self": "url", "html": "html_url", "issue": "issue_url", "comments": "comments_url",
                "review_comments": "review_comments_url", "review_comment": "review_comment_url",
                "commits": "commits_url", "statuses": "statuses_url",
            }.items()
        },
    }  # fmt: skip
    return contract().fill("pull-request", known)


def _end(state: State, found: Repository, ref: str, sha: str, name: str | None) -> dict[str, Any]:
    """The base or head of a pull request; the repository of a head is null once it was deleted."""
    owner = (name or "unknown/repository").partition("/")[0]
    whole = state.repositories.get((name or "").lower())
    filled = repository(state, whole or found, "repository")
    if name is not None and whole is None:
        filled |= {"full_name": name, "id": _number(name), "fork": True, "name": name.partition("/")[2]}
    end = {"label": f"{owner}:{ref}", "ref": ref, "sha": sha, "user": user(state, owner)}
    return {**end, "repo": filled if name is not None else None}


def commit(state: State, found: Repository, sha: str) -> dict[str, Any]:
    """A commit, without its files."""
    tree, parents, message = found.served.commit(sha)
    url = f"{repository_url(state, found)}/commits"
    known = {
        "sha": sha,
        "url": f"{url}/{sha}",
        "html_url": f"{state.origin}/{found.name}/commit/{sha}",
        "commit": {"message": message, "tree": {"sha": tree}},
        "parents": [{"sha": each, "url": f"{url}/{each}"} for each in parents],
    }
    return contract().fill("commit", known)


def diff_entries(files: Sequence[DiffFile]) -> list[dict[str, Any]]:
    """The files of a diff; a patch that is too large is left out, as GitHub does."""
    entries = []
    for each in files[:MOST_LISTED_FILES]:
        known: dict[str, Any] = {
            "sha": each.sha,
            "filename": each.path,
            "status": each.status,
            "additions": each.additions,
            "deletions": each.deletions,
            "changes": each.additions + each.deletions,
        }
        known |= {"patch": each.patch} if each.patch is not None else {}
        known |= {"previous_filename": each.previous} if each.previous is not None else {}
        entries.append(contract().fill("diff-entry", known))
    return entries


def artifact(state: State, found: Repository, said: Artifact) -> dict[str, Any]:
    """What a run of a workflow uploaded."""
    url = f"{repository_url(state, found)}/actions/artifacts/{said.id}"
    known = {"id": said.id, "name": said.name, "size_in_bytes": len(said.data), "expired": said.expired}
    return contract().fill("artifact", {**known, "url": url, "archive_download_url": f"{url}/zip"})


def workflow_run(state: State, found: Repository, jobs: Sequence[Job]) -> dict[str, Any]:
    """A finished run of a workflow; it failed where a job of it did."""
    first = jobs[0]
    url = f"{repository_url(state, found)}/actions/runs/{first.run_id}"
    red = any(job.conclusion == "failure" for job in jobs)
    known = {"id": first.run_id, "head_sha": first.head_sha, "status": "completed", "url": url}
    known |= {
        "conclusion": "failure" if red else "success",
        "event": "pull_request",
        "head_branch": "feature",
    }
    minimal = repository(state, found, "minimal-repository")
    return contract().fill("workflow-run", {**known, "repository": minimal, "head_repository": minimal})


def job(state: State, found: Repository, said: Job) -> dict[str, Any]:
    """A finished job."""
    url = repository_url(state, found)
    known = {"id": said.id, "run_id": said.run_id, "name": said.name, "head_sha": said.head_sha}
    known |= {"status": "completed", "conclusion": said.conclusion, "url": f"{url}/actions/jobs/{said.id}"}
    return contract().fill("job", {**known, "check_run_url": f"{url}/check-runs/{said.id}"})


def annotation(said: Mapping[str, object]) -> dict[str, Any]:
    """What a check run says at lines."""
    return contract().fill("check-annotation", said)


def review(state: State, found: Repository, pull: Pull, said: Review) -> dict[str, Any]:
    """A review; a pending one has no date."""
    urls = pull_urls(state, found, pull)
    page = f"{urls['html_url']}#pullrequestreview-{said.id}"
    known: dict[str, Any] = {
        "id": said.id,
        "user": user(state, said.author),
        "body": said.body,
        "state": said.state,
        "commit_id": said.commit_id,
        "html_url": page,
        "pull_request_url": urls["url"],
        "_links": {"html": {"href": page}, "pull_request": {"href": urls["url"]}},
    }
    known |= {"submitted_at": said.created_at} if said.state != "PENDING" else {}
    return contract().fill("pull-request-review", known)


def review_comment(state: State, found: Repository, pull: Pull, said: ReviewComment) -> dict[str, Any]:
    """A comment on lines."""
    urls = pull_urls(state, found, pull)
    url = f"{repository_url(state, found)}/pulls/comments/{said.id}"
    page = f"{urls['html_url']}#discussion_r{said.id}"
    known: dict[str, Any] = {
        "id": said.id,
        "pull_request_review_id": said.review_id,
        "user": user(state, said.author),
        "body": said.body,
        "commit_id": said.commit_id,
        "original_commit_id": said.commit_id,
        "path": said.path,
        "line": said.line,
        "side": said.side,
        **({"in_reply_to_id": said.reply_to} if said.reply_to is not None else {}),
        "start_line": said.start_line,
        "start_side": said.start_side,
        "diff_hunk": said.diff_hunk,
        "position": said.position,
        "created_at": said.created_at,
        "updated_at": said.created_at,
        "url": url,
        "html_url": page,
        "pull_request_url": urls["url"],
        "_links": {"self": {"href": url}, "html": {"href": page}, "pull_request": {"href": urls["url"]}},
    }
    return contract().fill("pull-request-review-comment", known)


def issue_urls(state: State, found: Repository, issue: Issue) -> dict[str, str]:
    """Where an issue stands, on the site and in the API."""
    page, url = f"{state.origin}/{found.name}", repository_url(state, found)
    ends = f"issues/{issue.number}"
    return {"html_url": f"{page}/{ends}", "issue_url": f"{url}/{ends}"}


def issue_comment(state: State, found: Repository, place: Pull | Issue, said: IssueComment) -> dict[str, Any]:
    """A comment in the conversation."""
    urls = issue_urls(state, found, place) if isinstance(place, Issue) else pull_urls(state, found, place)
    known = {
        "id": said.id,
        "user": user(state, said.author),
        "body": said.body,
        "created_at": said.created_at,
        "updated_at": said.updated_at,
        "url": f"{repository_url(state, found)}/issues/comments/{said.id}",
        "html_url": f"{urls['html_url']}#issuecomment-{said.id}",
        "issue_url": urls["issue_url"],
    }
    return contract().fill("issue-comment", known)


def reaction(known: Mapping[str, Any]) -> dict[str, Any]:
    """A reaction to a comment."""
    return contract().fill("reaction", known)


def check_run(state: State, found: Repository, run: CheckRun) -> dict[str, Any]:
    """A check run; annotations are counted, not repeated."""
    url = f"{repository_url(state, found)}/check-runs/{run.id}"
    annotations = run.output.get("annotations")
    count = len(annotations) if isinstance(annotations, list) else 0
    output: Mapping[str, Any] = {
        "title": run.output.get("title"),
        "summary": run.output.get("summary"),
        "text": run.output.get("text"),
        "annotations_count": count,
        "annotations_url": f"{url}/annotations",
    }
    names = ("name", "conclusion", "details_url", "external_id", "started_at", "completed_at")
    known = {name: run.values[name] for name in names if name in run.values}
    known |= {
        "id": run.id,
        "head_sha": run.head_sha,
        "url": url,
        "html_url": f"{state.origin}/{found.name}/runs/{run.id}",
        "status": run.values.get("status", "queued"),
        "output": output,
    }
    return contract().fill("check-run", known)


def _number(name: str) -> int:
    """An id that is the same in every run."""
    return int.from_bytes(name.encode()[:6], "big") % 10_000_000
