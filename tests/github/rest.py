"""The REST endpoints: small functions from a call to an answer, and the table of routes at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.github import issues, views
from tests.github.calls import Call, Route, links, page, page_bounds
from tests.github.rules import (
    DOCUMENTATION,
    Answer,
    Place,
    Refusal,
    check_body,
    check_review_body,
    place_comment,
    refused_review,
    refused_thread,
)
from tests.github.sarif import check_sarif
from tests.github.served import DiffFile
from tests.github.state import (
    CheckRun,
    IssueComment,
    Job,
    Pull,
    Repository,
    Review,
    ReviewComment,
    SarifUpload,
)

_STATES = {
    None: "PENDING",
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_MOST_COMPARED_FILES = 300
_MOST_DIFF_FILES, _MOST_DIFF_LINES = 300, 20_000


def _show_repository(call: Call) -> Answer:
    return Answer(200, views.repository(call.state, call.repository))


def _show_pull(call: Call) -> Answer:
    if "diff" in call.accept:
        return _diff_text(call.repository.diff(call.pull))
    return Answer(200, views.pull_request(call.state, call.repository, call.pull))


def _diff_text(files: Sequence[DiffFile]) -> Answer:
    """The diff media type with its limits: GitHub answers 406 beyond them."""
    lines = sum(each.additions + each.deletions for each in files)
    if len(files) > _MOST_DIFF_FILES:
        message = f"Sorry, the diff exceeded the maximum number of files ({_MOST_DIFF_FILES})."
    elif lines > _MOST_DIFF_LINES:
        message = f"Sorry, the diff exceeded the maximum number of lines ({_MOST_DIFF_LINES})"
    else:
        text = "".join(f"diff --git a/{each.path} b/{each.path}\n{each.patch or ''}\n" for each in files)
        return Answer(200, text, {"Content-Type": "application/vnd.github.diff; charset=utf-8"})
    raise Refusal(406, message, [{"resource": "PullRequest", "field": "diff", "code": "too_large"}])


def _list_files(call: Call) -> Answer:
    return page(call, views.diff_entries(call.repository.diff(call.pull)))


def _compare(call: Call) -> Answer:
    found, (base_name, dots, head_name) = call.repository, call.values["basehead"].partition("...")
    base, head = found.resolve(base_name), found.resolve(head_name)
    merge_base = found.served.merge_base(base, head) if base and head else None
    if not (dots and base and head and merge_base):
        raise Refusal(404, "Not Found")
    ahead, behind = found.served.commits(merge_base, head), found.served.commits(merge_base, base)
    status = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
    first, size = page_bounds(call)
    url = f"{views.repository_url(call.state, found)}/compare/{base_name}...{head_name}"
    body: dict[str, Any] = {
        **dict.fromkeys(("url", "html_url", "permalink_url", "diff_url", "patch_url"), url),
        "base_commit": views.commit(call.state, found, base),
        "merge_base_commit": views.commit(call.state, found, merge_base),
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [views.commit(call.state, found, each) for each in ahead[first : first + size]],
    }
    if first == 0:
        files = found.served.diff(merge_base, head)
        body["files"] = views.diff_entries(files[:_MOST_COMPARED_FILES])
    return Answer(200, body, links(call, len(ahead)))


def _show_commit(call: Call) -> Answer:
    sha = call.repository.resolve(call.values["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.values['ref']}", [])
    return Answer(200, views.commit(call.state, call.repository, sha))


def _list_reviews(call: Call) -> Answer:
    found, pull = call.repository, call.pull
    # A pending review is shown to its author only.
    seen = [each for each in pull.reviews if each.state != "PENDING" or each.author == call.token.identity]
    return page(call, [views.review(call.state, found, pull, each) for each in seen])


def _create_review(call: Call) -> Answer:
    found, pull, author, said = call.repository, call.pull, call.token.identity, call.body or {}
    if any(each.author == author and each.state == "PENDING" for each in pull.reviews):
        raise refused_review("User can only have one pending review per pull request")
    comments = said.get("comments", [])
    event = said.get("event")
    text = check_review_body(said.get("body"), event, len(comments))
    commit = _commit_of(found, pull, said.get("commit_id") or pull.head_sha)
    if event in ("APPROVE", "REQUEST_CHANGES") and author == pull.author:
        raise refused_review(f"Can not {event.lower().replace('_', ' ')} on your own pull request")
    files = found.diff(pull)
    places = []
    for each in comments:
        place = place_comment(files, each)
        if isinstance(place, str):
            raise refused_review(place)
        places.append(place)
    clock = call.state.clock
    review = Review(clock.next_id(), author, text, _STATES[event], commit, clock.now())
    pull.reviews.append(review)
    for each, place in zip(comments, places, strict=True):
        pull.review_comments.append(_thread(call, review, place, each["body"]))
    return Answer(200, views.review(call.state, found, pull, review))


def _commit_of(found: Repository, pull: Pull, commit: str) -> str:
    """A commit of the pull request: its head now or once, or any between. Raises Refusal (422)."""
    if commit not in pull.known_heads:
        base = found.served.merge_base(pull.base_sha, pull.head_sha)
        if base is None or commit not in found.served.commits(base, pull.head_sha):
            raise refused_review("The commit is not part of the pull request")
    return commit


def _thread(call: Call, review: Review, place: Place, body: str) -> ReviewComment:
    return ReviewComment(
        call.state.clock.next_id(),
        review.id,
        review.author,
        body,
        review.commit_id,
        place.path,
        place.line,
        place.side,
        place.start_line,
        place.start_side,
        place.diff_hunk,
        place.position,
        call.state.clock.now(),
    )


def _list_review_comments(call: Call) -> Answer:
    found, pull = call.repository, call.pull
    pending = {each.id for each in pull.reviews if each.state == "PENDING"}
    seen = [each for each in pull.review_comments if each.review_id not in pending]
    return page(call, [views.review_comment(call.state, found, pull, each) for each in seen])


def _create_review_comment(call: Call) -> Answer:
    found, pull, said = call.repository, call.pull, call.body
    commit = _commit_of(found, pull, said["commit_id"])
    place = place_comment(found.diff(pull), said)
    if isinstance(place, str):
        raise refused_thread(place)
    clock = call.state.clock
    review = Review(clock.next_id(), call.token.identity, "", "COMMENTED", commit, clock.now())
    comment = _thread(call, review, place, said["body"])
    pull.reviews.append(review)
    pull.review_comments.append(comment)
    return Answer(201, views.review_comment(call.state, found, pull, comment))


def _list_issue_comments(call: Call) -> Answer:
    found, place = call.repository, call.conversation
    rows = [views.issue_comment(call.state, found, place, each) for each in place.issue_comments]
    return page(call, rows)


def _create_issue_comment(call: Call) -> Answer:
    found, place, clock = call.repository, call.conversation, call.state.clock
    text = check_body(call.body["body"])
    now = clock.now()
    comment = IssueComment(clock.next_id(), call.token.identity, text, now, now)
    place.issue_comments.append(comment)
    return Answer(201, views.issue_comment(call.state, found, place, comment))


def _edit_issue_comment(call: Call) -> Answer:
    found, wanted = call.repository, int(call.values["comment_id"])
    for place in found.conversations:
        for comment in place.issue_comments:
            if comment.id == wanted:
                comment.body = check_body(call.body["body"])
                comment.updated_at = call.state.clock.now()
                return Answer(200, views.issue_comment(call.state, found, place, comment))
    raise Refusal(404, "Not Found")


def _react(call: Call) -> Answer:
    found, wanted = call.repository, int(call.values["comment_id"])
    if not any(each.id == wanted for place in found.conversations for each in place.issue_comments):
        raise Refusal(404, "Not Found")
    reaction = (wanted, call.token.identity, call.body["content"])
    status = 200 if reaction in found.reactions else 201
    if status == 201:
        found.reactions.append(reaction)
    known = {"content": call.body["content"], "user": views.user(call.state, call.token.identity)}
    return Answer(status, views.reaction({"id": wanted, **known}))


def _create_check_run(call: Call) -> Answer:
    found = call.repository
    head = found.served.resolve(call.body["head_sha"])
    if head is None or head != call.body["head_sha"]:
        raise Refusal(422, f"No commit found for SHA: {call.body['head_sha']}", [])
    run = CheckRun(call.state.clock.next_id(), call.token.identity, head, {})
    _change_check_run(run, call.body)
    found.check_runs.append(run)
    return Answer(201, views.check_run(call.state, found, run))


def _edit_check_run(call: Call) -> Answer:
    found, wanted = call.repository, int(call.values["check_run_id"])
    run = next((each for each in found.check_runs if each.id == wanted), None)
    if run is None:
        raise Refusal(404, "Not Found")
    if run.app != call.token.identity:
        raise Refusal(
            403, "Invalid app_id `1` - check run can only be modified by the GitHub App that created it."
        )
    _change_check_run(run, call.body)
    return Answer(200, views.check_run(call.state, found, run))


def _change_check_run(run: CheckRun, said: Mapping[str, Any]) -> None:
    """A conclusion completes a run; a run cannot be completed without one. Raises Refusal (422)."""
    values = {**run.values, **said}
    if said.get("conclusion") is not None:
        values["status"] = "completed"
    elif values.get("status") == "completed" and values.get("conclusion") is None:
        raise Refusal(422, "Invalid request.\n\nMissing conclusion for a completed check run.", [])
    if said.get("conclusion") == "stale":
        raise Refusal(422, "Invalid request.\n\nOnly GitHub can set the conclusion stale.", [])
    output, before = values.get("output"), run.output
    if isinstance(output, dict) and output is not before:
        # What is sent replaces what was there, but for annotations, which are added.
        lists: list[Any] = [each.get("annotations", []) for each in (before, output)]
        annotations = [*lists[0], *lists[1]]
        values["output"] = {**before, **output, "annotations": annotations}
    run.values = values


def _show_user(call: Call) -> Answer:
    if call.token.is_bot:
        raise Refusal(403, "Resource not accessible by integration")
    return Answer(200, views.own_user(call.state, call.token.identity))


def _show_permission(call: Call) -> Answer:
    login = call.values["username"]
    role = call.repository.collaborators.get(login, "none")
    # The old field knows four levels: https://docs.github.com/rest/collaborators/collaborators
    level = {"maintain": "write", "triage": "read"}.get(role, role)
    known = {**views.user(call.state, login), "role_name": role}
    return Answer(200, {"permission": level, "role_name": role, "user": known})


def _list_artifacts(call: Call) -> Answer:
    found, run = call.repository, int(call.values["run_id"])
    listed = [views.artifact(call.state, found, each) for each in found.artifacts if each.run_id == run]
    first, size = page_bounds(call)
    shown = {"total_count": len(listed), "artifacts": listed[first : first + size]}
    return Answer(200, shown, links(call, len(listed)))


def _fetch_artifact(call: Call) -> Answer:
    """A redirect to a place that takes no token."""
    wanted = int(call.values["artifact_id"])
    artifact = next((each for each in call.repository.artifacts if each.id == wanted), None)
    if artifact is None or call.values["archive_format"] != "zip":
        raise Refusal(404, "Not Found")
    if artifact.expired:
        raise Refusal(410, "Artifact has expired")
    place = f"{call.state.origin}/blob/{call.repository.name}/{wanted}?sig=secret"
    return Answer(302, "", {"Location": place})


def _list_runs(call: Call) -> Answer:
    wanted = call.query.get("head_sha")
    runs: dict[int, list[Job]] = {}
    for job in call.repository.jobs:
        if wanted in (None, job.head_sha):
            runs.setdefault(job.run_id, []).append(job)
    listed = [views.workflow_run(call.state, call.repository, jobs) for jobs in runs.values()]
    return Answer(200, {"total_count": len(listed), "workflow_runs": listed})


def _list_jobs(call: Call) -> Answer:
    found, run = call.repository, int(call.values["run_id"])
    listed = [views.job(call.state, found, each) for each in found.jobs if each.run_id == run]
    return Answer(200, {"total_count": len(listed), "jobs": listed})


def _fetch_log(call: Call) -> Answer:
    """A redirect to a place that takes no token."""
    wanted = int(call.values["job_id"])
    job = next((each for each in call.repository.jobs if each.id == wanted), None)
    if job is None:
        raise Refusal(404, "Not Found")
    if job.log is None:
        raise Refusal(410, "Server Error")
    place = f"{call.state.origin}/blob/{call.repository.name}/{wanted}?sig=secret"
    return Answer(302, "", {"Location": place})


def _list_annotations(call: Call) -> Answer:
    wanted = int(call.values["check_run_id"])
    job = next((each for each in call.repository.jobs if each.id == wanted), None)
    if job is None:
        raise Refusal(404, "Not Found")
    return page(call, [views.annotation(each) for each in job.annotations])


def _upload_sarif(call: Call) -> Answer:
    found, said = call.repository, call.body
    upload = SarifUpload(f"{call.state.clock.next_id():08x}-6e8a-11eb", said["ref"], said["commit_sha"])
    upload.log = check_sarif(found, said)
    upload.pending, upload.errors = found.sarif_pending, found.sarif_errors
    found.sarifs.append(upload)
    url = f"{views.repository_url(call.state, found)}/code-scanning/sarifs/{upload.id}"
    return Answer(202, {"id": upload.id, "url": url})


def _show_sarif(call: Call) -> Answer:
    upload = next((each for each in call.repository.sarifs if each.id == call.values["sarif_id"]), None)
    if upload is None:
        raise Refusal(404, "Not Found")
    if upload.pending > 0:
        upload.pending -= 1
        return Answer(200, {"processing_status": "pending"})
    if upload.errors:
        return Answer(200, {"processing_status": "failed", "errors": list(upload.errors)})
    url = f"{views.repository_url(call.state, call.repository)}/code-scanning/analyses?sarif_id={upload.id}"
    return Answer(200, {"processing_status": "complete", "analyses_url": url})


_REPOSITORY = "/repos/{owner}/{repo}"
_PULL = f"{_REPOSITORY}/pulls/{{pull_number}}"
_TALK = ("issues:write", "pull-requests:write")
_READ_TALK = ("issues:read", "pull-requests:read")
ROUTES = (
    Route("GET", _REPOSITORY, ("metadata:read",), _show_repository),
    Route("GET", _PULL, ("pull-requests:read",), _show_pull),
    Route("GET", f"{_PULL}/files", ("pull-requests:read",), _list_files),
    Route("GET", f"{_PULL}/reviews", ("pull-requests:read",), _list_reviews),
    Route("POST", f"{_PULL}/reviews", ("pull-requests:write",), _create_review),
    Route("GET", f"{_PULL}/comments", ("pull-requests:read",), _list_review_comments),
    Route("POST", f"{_PULL}/comments", ("pull-requests:write",), _create_review_comment),
    Route("GET", f"{_REPOSITORY}/compare/{{basehead}}", ("contents:read",), _compare),
    Route("GET", f"{_REPOSITORY}/commits/{{ref}}", ("contents:read",), _show_commit),
    Route("GET", f"{_REPOSITORY}/issues/{{issue_number}}/comments", _READ_TALK, _list_issue_comments),
    Route("POST", f"{_REPOSITORY}/issues/{{issue_number}}/comments", _TALK, _create_issue_comment),
    Route("PATCH", f"{_REPOSITORY}/issues/comments/{{comment_id}}", _TALK, _edit_issue_comment),
    Route("POST", f"{_REPOSITORY}/issues/comments/{{comment_id}}/reactions", _TALK, _react),
    Route("POST", f"{_REPOSITORY}/check-runs", ("checks:write",), _create_check_run),
    Route("PATCH", f"{_REPOSITORY}/check-runs/{{check_run_id}}", ("checks:write",), _edit_check_run),
    Route(
        "GET", f"{_REPOSITORY}/collaborators/{{username}}/permission", ("metadata:read",), _show_permission
    ),
    Route("POST", f"{_REPOSITORY}/code-scanning/sarifs", ("security-events:write",), _upload_sarif),
    Route("GET", f"{_REPOSITORY}/code-scanning/sarifs/{{sarif_id}}", ("security-events:read",), _show_sarif),
    Route("GET", f"{_REPOSITORY}/actions/runs/{{run_id}}/artifacts", ("actions:read",), _list_artifacts),
    Route(
        "GET",
        f"{_REPOSITORY}/actions/artifacts/{{artifact_id}}/{{archive_format}}",
        ("actions:read",),
        _fetch_artifact,
    ),
    Route("GET", f"{_REPOSITORY}/actions/runs", ("actions:read",), _list_runs),
    Route("GET", f"{_REPOSITORY}/actions/runs/{{run_id}}/jobs", ("actions:read",), _list_jobs),
    Route("GET", f"{_REPOSITORY}/actions/jobs/{{job_id}}/logs", ("actions:read",), _fetch_log),
    Route(
        "GET", f"{_REPOSITORY}/check-runs/{{check_run_id}}/annotations", ("checks:read",), _list_annotations
    ),
    *issues.ROUTES,
    Route("GET", "/user", ("metadata:read",), _show_user),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path below the API's root."""
    for route in ROUTES:
        values = route.match(method, path)
        if values is not None:
            return route, values
    return None


def forbidden(route: Route) -> Answer:
    """403 with the header that names what was missing."""
    body = {
        "message": "Resource not accessible by integration",
        "documentation_url": DOCUMENTATION,
        "status": "403",
    }
    accepted = "; ".join(each.replace("-", "_").replace(":", "=") for each in route.permissions)
    return Answer(403, body, {"X-Accepted-GitHub-Permissions": accepted})
