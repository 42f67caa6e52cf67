"""One pull request over twelve pushes: real git, the stateful fake GitHub, the whole action, agents and analyzers.

Each push asserts what must be true of it; at the end stand one summary, the threads that people left open, and
the verdict of the last head.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from reviewbot.publish.markers import Scope, read_marker
from tests.action.test_action import CLEAN, NAME, Bench
from tests.action.test_rounds import KEY, ask, ledger, opened, push, review
from tests.github.events import pull_request_event
from tests.github.state import ReviewComment

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHELL = 'import subprocess\n\n\ndef convert():\n    subprocess.run("convert " + request.args["name"], shell=True)\n'
LOADS = 'import pickle\n\n\ndef load():\n    return pickle.loads(request.args["data"])\n'
OTHER = 'import os\n\n\ndef remove():\n    os.system("rm " + request.args["path"])\n'


@pytest.fixture
def bench(bench: Bench) -> Iterator[Bench]:
    yield bench
    assert {each.status for each in bench.fake.api_requests} <= {200, 201}


def blocking(bench: Bench) -> set[str]:
    """The files in which something blocks."""
    return {str(each["path"]) for each in bench.report["findings"] if each["blocking"]}


def agents_found(bench: Bench) -> set[str]:
    """The files in which something blocks that a model said."""
    return {
        str(each["path"])
        for each in bench.report["findings"]
        if each["blocking"] and each["rule"].startswith("security/")
    }


def names(comments: list[ReviewComment]) -> Counter[str]:
    """How many of the comments are about each finding."""
    read = (read_marker(each.body, Scope(NAME, 1), KEY.encode()) for each in comments)
    return Counter(marker.fingerprint for marker in read if marker and marker.kind == "finding")


def ours(bench: Bench) -> list[str]:
    """Our comments in the conversation."""
    return [each.body for each in bench.fake.issue_comments(NAME, 1) if each.author == "github-actions[bot]"]


def on_feature(bench: Bench, *arguments: str) -> str:
    """One git command on the branch of the pull request; the head it leaves is pushed."""
    bench.sandbox.git("switch", "-q", "feature")
    bench.sandbox.git(*arguments)
    head = bench.sandbox.git("rev-parse", "HEAD")
    bench.sandbox.git("switch", "-q", "main")
    bench.fake.move_head(NAME, 1, head)
    return head


def test_twelve_pushes_end_with_one_summary_the_threads_people_left_open_and_the_verdict_of_the_head(
    bench: Bench,
) -> None:
    # 1: opened with two faults in two files.
    bench.sandbox.write("load.py", LOADS)
    bench.pull_request(SHELL)
    bench.fake.state.repository(NAME).collaborators = {"mona": "write"}
    assert ask(bench, "reader", "opened")[0] == 1
    assert blocking(bench) == agents_found(bench) == {"app.py", "load.py"}
    first = names(opened(bench))

    # 2: a third file with a third fault; only that one is read.
    push(bench, {"other.py": OTHER})
    code, sent = ask(bench, "reader")
    assert code == 1
    assert b"other.py" in sent
    assert b"pickle.loads" not in sent
    assert blocking(bench) == {"app.py", "load.py", "other.py"}
    assert "still open, 0 gone" in ours(bench)[0]

    # 3: one of three is fixed, which must not pass.
    push(bench, {"load.py": CLEAN})
    assert ask(bench, "reader")[0] == 1
    assert blocking(bench) == {"app.py", "other.py"}
    assert not any(each.path == "load.py" for each in opened(bench))

    # 4: the base moves on, and a harmless file comes; the others stay as they were read.
    bench.fake.set_branch(NAME, "main", bench.sandbox.commit({"base.py": CLEAN}))
    push(bench, {"NOTES.md": "more\n"})
    code, sent = ask(bench, "reader")
    assert (code, b"convert" in sent) == (1, False)
    assert blocking(bench) == {"app.py", "other.py"}
    assert "0 new" in ours(bench)[0]

    # 5: a file moves and takes its fault along, though the model says nothing of it.
    bench.sandbox.git("switch", "-q", "feature")
    bench.sandbox.git("mv", "other.py", "moved.py")
    push(bench, {})
    assert ask(bench, "skipper")[0] == 1
    assert agents_found(bench) == {"app.py", "moved.py"}

    # 6: rebased and force-pushed: all is read again, nothing is said twice.
    before = names(opened(bench))
    on_feature(bench, "rebase", "-q", "main")
    code, sent = ask(bench, "reader")
    assert (code, b"convert" in sent, b"os.system" in sent) == (1, True, True)
    assert blocking(bench) == {"app.py", "moved.py"}
    assert max(names(opened(bench)).values()) == 1
    assert before.keys() <= names(opened(bench)).keys()

    # 7: a person answers one of the threads.
    threads = [each for each in opened(bench) if each.path == "app.py"]
    for thread in threads:
        bench.fake.answer_thread(NAME, 1, thread, "mona")
    push(bench, {"NOTES.md": "and more\n"})
    assert ask(bench, "reader")[0] == 1

    # 8: what stands in moved.py is dismissed, by somebody who may and by somebody who may not.
    known = [each for each in bench.report["findings"] if each["path"] == "moved.py" and each["blocking"]]
    for each in known:
        name = each["fingerprint"]
        bench.fake.add_issue_comment(NAME, 1, "stranger", f"/reviewbot dismiss {name} let me in")
    push(bench, {"NOTES.md": "and even more\n"})
    assert ask(bench, "reader")[0] == 1
    assert blocking(bench) == {"app.py", "moved.py"}
    for each in known:
        name = each["fingerprint"]
        bench.fake.add_issue_comment(NAME, 1, "mona", f"/reviewbot dismiss {name} only admins get here")
    push(bench, {"NOTES.md": "the end\n"})
    assert ask(bench, "reader")[0] == 1
    assert blocking(bench) == {"app.py"}
    assert f"{len(known)} dismissed" in ours(bench)[0]
    faulty = bench.sandbox.git("rev-parse", "feature")

    # 9: the last fault is fixed; the threads that mona answered stay hers.
    push(bench, {"app.py": CLEAN})
    assert ask(bench, "reader")[0] == 0
    assert blocking(bench) == set()
    assert [each.path for each in opened(bench)] == ["app.py"] * len(threads)

    # 10: a force-push brings the fault back: it blocks again, below the thread that never ended.
    on_feature(bench, "reset", "-q", "--hard", faulty)
    assert ask(bench, "reader")[0] == 1
    assert blocking(bench) == {"app.py"}
    assert max(names(opened(bench)).values()) == 1

    # 11: a run that a newer push has overtaken says nothing.
    said = ours(bench), len(bench.fake.review_comments(NAME, 1))
    payload = pull_request_event(bench.fake, NAME, 1, "synchronize")
    push(bench, {"app.py": CLEAN, "moved.py": CLEAN})
    assert bench.run("pull_request", payload, engine="analyzers", state_key=KEY) == 1
    assert bench.codes == ["head_moved"]
    assert (ours(bench), len(bench.fake.review_comments(NAME, 1))) == said

    # 12: the head that overtook it passes, read by agents and run once more by the analyzers alone.
    assert ask(bench, "reader")[0] == 0
    assert {status for status, _ in ledger(bench).values()} <= {"reviewed", "triaged"}
    end = names(bench.fake.review_comments(NAME, 1))
    assert ask(bench, "reader") == (0, b"")
    assert names(bench.fake.review_comments(NAME, 1)) == end

    assert len(ours(bench)) == 1
    assert ours(bench)[0].startswith("### ✅ pass")
    assert bench.written["verdict"] == "pass"
    assert [each.path for each in opened(bench)] == ["app.py"] * len(threads), "mona never closed them"
    assert max(names(opened(bench)).values()) == 1
    hidden = [each for each in bench.fake.review_comments(NAME, 1) if each.minimized and not each.reply_to]
    assert first.keys() <= names([*hidden, *opened(bench)]).keys()
    answered = {each.reply_to for each in bench.fake.review_comments(NAME, 1) if each.reply_to}
    assert {each.id for each in hidden} <= answered
    assert review(bench) == 0
