"""The action against the fake GitHub: real sockets, real git over https, one environment per case."""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from reviewbot.action.entrypoint import run_action
from reviewbot.core import Review
from tests.github.events import pull_request_event, schedule_event, workflow_dispatch_event
from tests.github.fake import FakeGitHub
from tests.repositories import Sandbox
from tests.telemetry.test_spans import Collector, attributes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NAME = "octo/app"
FAULT = "import subprocess\n\n\ndef run(command):\n    subprocess.run(command, shell=True)\n"
CLEAN = "def run(command):\n    return command\n"
READ_ONLY = {"contents": "read", "pull-requests": "read"}


class Bench:
    """A repository with one pull request on a fake GitHub, and a runner's folders."""

    def __init__(self, fake: FakeGitHub, sandbox: Sandbox, folder: Path) -> None:
        self.fake, self.sandbox, self.folder = fake, sandbox, folder
        self.base = sandbox.commit({"app.py": "def run():\n    pass\n", "README.md": "x\n"})
        sandbox.git("switch", "-q", "-c", "feature")
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.outputs, self.summary = folder / "outputs", folder / "summary"
        self.event = folder / "event.json"
        self.out = io.StringIO()
        self.more: dict[str, str] = {}

    def pull_request(self, content: str, **options: Any) -> str:
        """Open pull request 1, which writes ``content`` to app.py."""
        head = self.sandbox.commit({"app.py": content})
        self.sandbox.git("switch", "-q", "main")
        self.fake.add_repository(NAME, self.sandbox.folder)
        self.fake.add_pull_request(NAME, 1, base_ref="main", head_sha=head, **options)
        return head

    def environment(self, event: str, payload: bytes, **inputs: str) -> dict[str, str]:
        self.event.write_bytes(payload)
        self.outputs.write_text("")
        self.summary.write_text("")
        inputs.setdefault("github_token", self.fake.token())
        return {
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": str(self.fake.ca_file),
            "GITHUB_ACTIONS": "true",
            "CI": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self.event),
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_ACTOR": "octocat",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_API_URL": self.fake.api_url,
            "GITHUB_GRAPHQL_URL": self.fake.graphql_url,
            "GITHUB_SERVER_URL": self.fake.server_url,
            **{f"INPUT_{name.replace('_', '-').upper()}": value for name, value in inputs.items()},
            **self.more,
        }

    def on_pull_request(self, **inputs: str) -> int:
        """Run on an ``opened`` event of the pull request; returns the exit code."""
        return self.run("pull_request", pull_request_event(self.fake, NAME, 1), **inputs)

    def run(self, event: str, payload: bytes, **inputs: str) -> int:
        self.out.seek(0)
        self.out.truncate()
        return run_action(self.environment(event, payload, **inputs), self.out)

    @property
    def written(self) -> dict[str, str]:
        """The outputs, read as a runner reads them."""
        found = re.findall(
            r"^([a-z-]+)<<(\S+)\n(.*?)\n\2$", self.outputs.read_text(), re.MULTILINE | re.DOTALL
        )
        return {name: value for name, _, value in found}

    @property
    def report(self) -> Any:
        return json.loads((self.workspace / self.written["report"]).read_text())

    @property
    def codes(self) -> list[str]:
        return [reason["code"] for reason in self.report["verdict"]["reasons"]]


def test_a_pull_request_gets_one_review_a_summary_outputs_reports_and_an_exit_code(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    assert bench.on_pull_request(engine="analyzers") == 1
    [review] = bench.fake.reviews(NAME, 1)
    [comment] = bench.fake.review_comments(NAME, 1)
    [summary] = bench.fake.issue_comments(NAME, 1)
    assert (comment.path, comment.line) == ("app.py", 5)
    assert "S602" in comment.body
    assert "\n" not in review.body
    assert "exit code of this job is the gate" in summary.body
    assert bench.written["verdict"] == "fail"
    assert bench.written["blocking"] == "1"
    assert bench.written["report"] == "reviewbot-report/report.json"
    assert bench.written["sarif"] == "reviewbot-report/report.sarif"
    assert float(bench.written["cost-usd"]) == 0
    assert bench.report["trigger"]["head_sha"] == head
    assert bench.report["trigger"]["base_sha"] == bench.base
    assert "S602" in bench.summary.read_text()
    assert "::error" not in bench.out.getvalue()
    assert len(bench.fake.api_requests) <= 6
    assert {each.status for each in bench.fake.api_requests} <= {200, 201}


def test_a_run_of_the_action_is_told_to_the_collector_that_the_job_names(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    bench.pull_request(FAULT)
    bench.more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    assert bench.on_pull_request(engine="analyzers") == 1
    collector.close()
    [span] = collector.spans()
    assert span.name == "invoke_workflow action"
    assert attributes(span)["reviewbot.conclusion"] == "fail"


def test_a_second_run_of_the_same_commit_posts_nothing_twice(bench: Bench) -> None:
    bench.pull_request(FAULT)
    for _ in range(2):
        assert bench.on_pull_request(engine="analyzers", state_key="0123456789abcdef") == 1
    assert len(bench.fake.reviews(NAME, 1)) == 1
    assert len(bench.fake.review_comments(NAME, 1)) == 1
    assert len(bench.fake.issue_comments(NAME, 1)) == 1
    assert bench.written["report"] == "reviewbot-report-2/report.json"


def test_a_clean_change_passes(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    assert bench.on_pull_request(engine="analyzers") == 0
    assert bench.written["verdict"] == "pass"
    assert bench.fake.reviews(NAME, 1) == []


def test_the_merge_base_is_compared_and_the_policy_read_at_the_tip(bench: Bench) -> None:
    bench.pull_request(FAULT)
    tip = bench.sandbox.commit({".github/reviewbot.yml": "fail-on: critical\n", "other.py": "x = 1\n"})
    bench.fake.set_branch(NAME, "main", tip)
    assert bench.on_pull_request(engine="analyzers") == 0
    trigger = bench.report["trigger"]
    assert (trigger["base_sha"], trigger["policy_sha"]) == (bench.base, tip)
    assert [file["path"] for file in bench.report["coverage"]["files"]] == ["app.py"]


def test_an_input_makes_the_policy_stricter_and_never_weaker(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert bench.on_pull_request(engine="analyzers", fail_on="critical") == 1
    tip = bench.sandbox.commit({".github/reviewbot.yml": "fail-on: critical\n"})
    bench.fake.set_branch(NAME, "main", tip)
    assert bench.on_pull_request(engine="analyzers", fail_on="high") == 1


def test_a_large_repository_is_read_blob_by_blob(bench: Bench) -> None:
    bench.pull_request(FAULT)
    bench.fake.state.repository(NAME).size_kib = 10_000_000
    assert bench.on_pull_request(engine="analyzers") == 1
    assert len(bench.fake.review_comments(NAME, 1)) == 1


def test_a_fork_without_secrets_gets_annotations_and_a_job_summary(bench: Bench) -> None:
    bench.pull_request(FAULT, head_repository="mallory/app")
    assert bench.on_pull_request(github_token=bench.fake.token(permissions=READ_ONLY)) == 1
    assert "no_secrets" in bench.codes
    assert re.search(r"^::error file=app\.py,line=5,", bench.out.getvalue(), re.MULTILINE)
    assert "S602" in bench.summary.read_text()
    assert bench.fake.issue_comments(NAME, 1) == []


def test_a_clean_fork_is_neutral(bench: Bench) -> None:
    bench.pull_request(CLEAN, head_repository="mallory/app")
    assert bench.on_pull_request(github_token=bench.fake.token(permissions=READ_ONLY)) == 0
    assert bench.written["verdict"] == "incomplete"
    assert bench.codes == ["no_secrets"]


def test_no_key_and_no_right_to_write_is_a_run_without_secrets_whoever_the_actor_is(bench: Bench) -> None:
    bench.pull_request(CLEAN, author="dependabot[bot]")
    assert bench.on_pull_request(github_token=bench.fake.token(permissions=READ_ONLY)) == 0
    assert bench.codes == ["no_secrets"]
    assert bench.fake.issue_comments(NAME, 1) == []


def test_no_key_where_the_token_may_write_is_a_mistake_and_is_said_on_the_pull_request(bench: Bench) -> None:
    bench.pull_request(CLEAN, author="dependabot[bot]")
    assert bench.on_pull_request() == 2
    assert bench.codes == ["missing_credentials"]
    assert len(bench.fake.issue_comments(NAME, 1)) == 1


def test_no_key_is_a_mistake_under_pull_request_target_even_for_forks(bench: Bench) -> None:
    bench.pull_request(CLEAN, head_repository="mallory/app")
    token = bench.fake.token(permissions=READ_ONLY)
    assert bench.run("pull_request_target", pull_request_event(bench.fake, NAME, 1), github_token=token) == 2
    assert bench.codes == ["missing_credentials"]


@pytest.mark.parametrize(
    "given", [{"base": "main"}, {"head": "main"}, {"pull_request": "2"}, {"mode": "scan"}], ids=str
)
def test_a_pull_request_says_itself_what_is_reviewed(bench: Bench, given: dict[str, str]) -> None:
    bench.pull_request(FAULT)
    assert bench.on_pull_request(engine="analyzers", **given) == 2
    assert bench.codes == ["bad_arguments"]
    assert bench.fake.reviews(NAME, 1) == []


def test_a_draft_is_not_reviewed(bench: Bench) -> None:
    bench.pull_request(FAULT, draft=True)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert bench.codes == ["draft"]
    assert bench.fake.issue_comments(NAME, 1) == []


def test_a_closed_pull_request_is_not_reviewed(bench: Bench) -> None:
    bench.pull_request(FAULT)
    payload = pull_request_event(bench.fake, NAME, 1)
    bench.fake.change_pull_request(NAME, 1, state="closed", merged=True)
    assert bench.run("pull_request", payload, engine="analyzers") == 3
    assert bench.codes == ["no_review"]
    assert "merged" in bench.report["verdict"]["reasons"][0]["detail"]


def test_a_pull_request_that_is_gone_is_one_sentence(bench: Bench) -> None:
    bench.pull_request(FAULT)
    payload = pull_request_event(bench.fake, NAME, 1)
    del bench.fake.state.repository(NAME).pulls[1]
    assert bench.run("pull_request", payload, engine="analyzers") == 3
    assert bench.codes == ["no_review"]


def test_a_head_that_was_pushed_over_is_not_reviewed(bench: Bench) -> None:
    bench.pull_request(FAULT)
    payload = pull_request_event(bench.fake, NAME, 1)
    bench.fake.move_head(NAME, 1, bench.base)
    assert bench.run("pull_request", payload, engine="analyzers") == 1
    assert bench.codes == ["head_moved"]
    assert bench.fake.issue_comments(NAME, 1) == []


def test_a_head_that_moves_during_the_review_makes_a_pass_incomplete(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pull_request(CLEAN)
    from reviewbot.pipeline import review_repository

    def slow(*arguments: Any) -> Review:
        bench.fake.move_head(NAME, 1, bench.base)
        return review_repository(*arguments)

    monkeypatch.setattr("reviewbot.action.run.review_repository", slow)
    assert bench.on_pull_request(engine="analyzers") == 1
    assert bench.written["verdict"] == "incomplete"
    assert bench.codes[0] == "head_moved"
    assert bench.fake.issue_comments(NAME, 1) == []


def test_a_manual_run_reviews_a_draft_because_somebody_asked_for_it(bench: Bench) -> None:
    bench.pull_request(FAULT, draft=True)
    token = bench.fake.token(permissions={"contents": "read", "pull-requests": "write", "checks": "write"})
    given = {"engine": "analyzers", "pull_request": "1", "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 1
    assert len(bench.fake.review_comments(NAME, 1)) == 1
    assert [check.conclusion for check in bench.fake.check_runs(NAME)] == ["failure"]


def test_an_author_whom_the_policy_skips_is_reviewed_by_hand_only_and_never_passes(bench: Bench) -> None:
    head = bench.pull_request(CLEAN, author="renovate[bot]")
    tip = bench.sandbox.commit({".github/reviewbot.yml": "skip-authors: ['Renovate[bot]', mona]\n"})
    bench.fake.set_branch(NAME, "main", tip)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert (bench.codes, bench.written["verdict"]) == (["skipped_author"], "incomplete")
    assert bench.fake.issue_comments(NAME, 1) == []
    assert "by renovate[bot], whom `skip-authors`" in bench.report["verdict"]["reasons"][0]["detail"]
    token = bench.fake.token(permissions={"contents": "read", "pull-requests": "write", "checks": "write"})
    given = {"engine": "analyzers", "pull_request": "1", "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 0
    assert bench.report["trigger"]["head_sha"] == head


@pytest.mark.parametrize("policy", ["skip-authors: [somebody]\n", "skip-authors: 3\n"])
def test_nobody_else_is_skipped_and_nobody_by_a_policy_that_cannot_be_read(bench: Bench, policy: str) -> None:
    bench.pull_request(FAULT, author="renovate[bot]")
    bench.fake.set_branch(NAME, "main", bench.sandbox.commit({".github/reviewbot.yml": policy}))
    assert bench.on_pull_request(engine="analyzers") == (2 if "3" in policy else 1)
    assert "skipped_author" not in bench.codes


def test_a_manual_run_reviews_a_pull_request_and_gates_by_a_check_on_its_head(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    permissions = {"contents": "read", "pull-requests": "write", "checks": "write"}
    token = bench.fake.token(permissions=permissions)
    given = {"engine": "analyzers", "pull_request": "1", "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 1
    [check] = bench.fake.check_runs(NAME)
    assert (check.head_sha, check.conclusion) == (head, "failure")
    assert len(bench.fake.review_comments(NAME, 1)) == 1
    assert bench.report["trigger"]["kind"] == "workflow_dispatch"
    assert "The gate is the check run" in bench.summary.read_text()


def test_a_check_run_that_cannot_be_written_is_no_success(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    head = bench.pull_request(CLEAN)
    bench.fake.fail_next("POST", "/check-runs", 422, times=5)
    token = bench.fake.token(permissions={"contents": "read", "checks": "write"})
    given = {"engine": "analyzers", "base": "main", "head": head, "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 3
    assert "check run could not be written" in capsys.readouterr().err


def test_a_manual_run_that_fails_leaves_no_older_check_in_force(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = bench.pull_request(CLEAN)
    token = bench.fake.token(permissions={"contents": "read", "checks": "write"})
    given = {"engine": "analyzers", "base": "main", "head": head, "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 0

    def broken(*_: Any, **__: Any) -> None:
        raise LookupError

    monkeypatch.setattr("reviewbot.action.evidence.fetch_store", broken)
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 3
    checks = [(check.head_sha, check.conclusion) for check in bench.fake.check_runs(NAME)]
    assert checks == [(head, "success"), (head, "action_required")]


def test_a_manual_run_without_the_right_to_write_checks_says_that_it_is_advisory(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert (
        bench.run(
            "workflow_dispatch",
            workflow_dispatch_event(bench.fake, NAME),
            engine="analyzers",
            pull_request="1",
        )
        == 1
    )
    assert bench.fake.check_runs(NAME) == []
    assert "advisory" in bench.summary.read_text()
    assert "advisory" in bench.fake.issue_comments(NAME, 1)[0].body


def test_a_manual_run_reviews_what_lies_between_two_commits(bench: Bench) -> None:
    head = bench.pull_request(FAULT)
    token = bench.fake.token(permissions={"contents": "read", "checks": "write"})
    given = {"engine": "analyzers", "base": "main", "head": head, "github_token": token}
    assert bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), **given) == 1
    assert [check.head_sha for check in bench.fake.check_runs(NAME)] == [head]
    assert "::error file=app.py" in bench.out.getvalue()
    assert bench.report["trigger"]["pull_number"] is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Nothing says what to review"),
        ({"base": "main"}, "Nothing says what to review"),
        ({"base": "main", "head": "main"}, "already part of"),
        ({"base": "main", "head": "main", "pull_request": "1"}, "excludes"),
        ({"mode": "scan", "base": "main"}, "neither `base` nor"),
    ],
)
def test_a_manual_run_that_names_nothing_to_review_is_refused(
    bench: Bench, given: dict[str, str], says: str
) -> None:
    bench.pull_request(FAULT)
    assert (
        bench.run("workflow_dispatch", workflow_dispatch_event(bench.fake, NAME), engine="analyzers", **given)
        == 2
    )
    assert says in bench.report["verdict"]["reasons"][0]["detail"]


def test_a_schedule_scans_the_whole_tree(bench: Bench) -> None:
    bench.pull_request(CLEAN)
    token = bench.fake.token(permissions={"contents": "read", "checks": "write"})
    code = bench.run("schedule", schedule_event(bench.fake, NAME), engine="analyzers", github_token=token)
    assert code == bench.report["verdict"]["exit_code"]
    assert {file["path"] for file in bench.report["coverage"]["files"]} == {"README.md", "app.py"}
    assert bench.report["trigger"]["kind"] == "schedule"
    assert bench.report["trigger"]["head_sha"] == bench.base
    assert [check.head_sha for check in bench.fake.check_runs(NAME)] == [bench.base]


@pytest.mark.parametrize(
    ("event", "payload", "code"),
    [
        ("pull_request", b"", 2),
        ("pull_request", b"{", 2),
        ("pull_request", b'{"action": "opened"}', 2),
        ("push", b"{}", 2),
        ("", b"{}", 2),
    ],
)
def test_an_event_that_cannot_be_read_is_one_sentence_with_all_reports(
    bench: Bench, event: str, payload: bytes, code: int
) -> None:
    assert bench.run(event, payload, engine="analyzers") == code
    assert bench.report["verdict"]["conclusion"] == "incomplete"
    assert len(bench.report["verdict"]["reasons"]) == 1
    assert {file.name for file in (bench.workspace / "reviewbot-report").iterdir()} == {
        "report.json",
        "report.md",
        "report.sarif",
        "report.junit.xml",
        "metrics.prom",
        "journal.jsonl",
    }
    assert bench.summary.read_text()
    assert bench.fake.requests == []


def test_an_event_file_that_is_missing_is_one_sentence(bench: Bench) -> None:
    environment = bench.environment("pull_request", b"", engine="analyzers")
    bench.event.unlink()
    assert run_action(environment, bench.out) == 2
    assert "no such file" in bench.report["verdict"]["reasons"][0]["detail"]


def test_a_label_is_nothing_to_review(bench: Bench) -> None:
    bench.pull_request(FAULT)
    payload = json.loads(pull_request_event(bench.fake, NAME, 1))
    payload["action"] = "labeled"
    assert bench.run("pull_request", json.dumps(payload).encode(), engine="analyzers") == 3


def test_without_the_api_there_is_no_review(bench: Bench) -> None:
    bench.pull_request(FAULT)
    bench.fake.fail_next("POST", "/graphql", 502, times=10)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert bench.codes == ["no_review"]


def test_a_token_that_may_not_read_is_one_sentence(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert bench.on_pull_request(engine="analyzers", github_token="ghs_unknown") == 3
    assert "ghs_unknown" not in json.dumps(bench.report)


def test_an_empty_token_is_a_mistake_of_the_workflow(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert bench.on_pull_request(engine="analyzers", github_token="") == 2
    assert "`github-token` is empty" in bench.report["verdict"]["reasons"][0]["detail"]


def test_a_review_that_cannot_be_posted_is_annotated_and_gates_all_the_same(bench: Bench) -> None:
    bench.pull_request(FAULT)
    assert (
        bench.on_pull_request(engine="analyzers", github_token=bench.fake.token(permissions=READ_ONLY)) == 1
    )
    assert "::error file=app.py" in bench.out.getvalue()


def test_what_cannot_be_written_silences_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.pull_request(CLEAN)

    def broken(*_: Any, **__: Any) -> str:
        raise LookupError

    monkeypatch.setattr("reviewbot.action.entrypoint.render_job_summary", broken)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert bench.written["verdict"] == "pass"
    assert "pass" in bench.out.getvalue().lower()


def python_is_for_everybody() -> bool:
    """Whether another user could import this interpreter's library."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in Path(os.__file__).resolve().parents)


def test_a_fault_of_ours_is_no_review_with_all_reports(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.pull_request(FAULT)

    def broken(*_: Any, **__: Any) -> None:
        raise LookupError("secret")

    monkeypatch.setattr("reviewbot.action.evidence.fetch_store", broken)
    assert bench.on_pull_request(engine="analyzers") == 3
    assert bench.codes == ["no_review"]
    assert "LookupError at evidence.py:" in bench.report["verdict"]["reasons"][0]["detail"]
    assert "secret" not in json.dumps(bench.report)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
@pytest.mark.skipif(not python_is_for_everybody(), reason="this Python is in a folder of root's alone")
def test_root_reads_nothing_of_the_change_and_the_reports_belong_to_the_workspaces_owner(
    sandbox: Sandbox,
) -> None:
    with FakeGitHub() as fake, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        bench = Bench(fake, sandbox, Path(folder))
        bench.pull_request(FAULT)
        payload = pull_request_event(fake, NAME, 1)
        environment = bench.environment("pull_request", payload, engine="analyzers")
        ca_file = Path(folder) / "ca.pem"
        ca_file.write_bytes(fake.ca_file.read_bytes())
        environment["SSL_CERT_FILE"] = str(ca_file)
        bench.outputs.chmod(0o600)  # root's: only a file that was opened in time can be written
        os.chown(bench.workspace, 1001, 118)
        done = subprocess.run(
            [sys.executable, "-I", "-c", "import os; from reviewbot.action.entrypoint import run_action; "
             "code = run_action(os.environ); print(os.getresuid()); raise SystemExit(code)"],
            cwd=bench.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert done.stdout.endswith("(1001, 1001, 1001)\n")
        assert bench.written["verdict"] == "fail"
        owners = {(file.stat().st_uid, file.stat().st_gid) for file in bench.workspace.rglob("*")}
        assert owners == {(1001, 118)}
        assert len(fake.review_comments(NAME, 1)) == 1
