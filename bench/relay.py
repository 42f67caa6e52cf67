"""Play the model yourself: a local Messages endpoint that parks each request as a file and waits for a reply.

    python bench/relay.py FOLDER vuln:25 clean:25 pr:13 test:1     review real changes of the shared data
    python bench/relay.py FOLDER java:13=CLONE                     the same, inside the project it comes from
    python bench/relay.py FOLDER -- review --repo DIR --base REV   run reviewbot itself
    python bench/relay.py FOLDER                                   only listen, for a run elsewhere
    python bench/relay.py FOLDER --table                           the figures of the runs in FOLDER

Request 3 of a run is parked as `3-security.md` to read and `3-security.json` as it came. Whoever answers
writes `3-security.reply` beside it: the answer itself (JSON, or any other text), or calls of tools as a
JSON list such as `[{"name": "search", "input": {"text": "login("}}]`. Requests that the real API would
refuse are refused (`reviewbot.testing`). A judge's view of a run goes into `truth.json` of its folder:
{"security": {"true": 1, "false": 0, "missed": 0}, …}; --table adds it up.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the changes come from tests/

from reviewbot import cli
from reviewbot.agents import subagents
from reviewbot.agents.conversation import loop
from reviewbot.agents.spec import SPECS
from reviewbot.change.policy_file import Asked
from reviewbot.journal import Journal
from reviewbot.pipeline import review_change
from reviewbot.publish.progress import Progress
from reviewbot.publish.report import report_document
from reviewbot.request import Request
from reviewbot.testing import ScriptedModel, ToolCall, Turn
from tests.real_changes import RealChange, both_sides, read_records
from tests.repositories import Sandbox

Json = Mapping[str, Any]
ANSWERS = {"files": "triage", "failures": "test_fix", "findings": "security", "judgement": "verify"}
"""The agent that asks, by a field of its answer."""

KINDS = {
    "vuln": ("vuln_fixes.jsonl", "reversed_diff", "fix_commit", "vulnerable_commit"),
    "clean": ("vuln_fixes.jsonl", "fix_diff", "vulnerable_commit", "fix_commit"),
    "pr": ("review_golden_aacr.jsonl", "diff", "base", "head"),
    "test": ("ci_failures_python.jsonl", "fix_diff", "fix_commit", "base_commit"),
    "java": ("ci_failures_gitbug.jsonl", "bug_patch", "fix_commit", "buggy_commit"),
}
"""Where the records of a kind are; their fields with the diff, the commit before it, the one after it."""

MENDS = ("test", "java")
"""The data has the mend; what broke the tests is the way back, and the new tests are there from the start."""

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 7_200.0
"""How long a task may take: whoever plays the model is slower than the model."""


class Relay:
    """A behaviour of the scripted model: it asks whoever writes the reply files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, body: Json) -> Turn:
        """Park a request, wait for its reply."""
        name = f"{next(self._numbers)}-{agent_of(body)}"
        reply = self.folder / f"{name}.reply"
        reply.unlink(missing_ok=True)
        (self.folder / f"{name}.json").write_text(json.dumps(body, ensure_ascii=False, indent=1))
        (self.folder / f"{name}.md").write_text(render_request(body))
        print(f"waiting for {reply}", flush=True)
        return parse_reply(wait_for(reply))


def wait_for(reply: Path) -> str:
    """The text of a file once it is there and no longer grows. Raises TimeoutError."""
    before, deadline = "", time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = reply.read_text() if reply.exists() else ""
        if text.strip() and text == before:
            return text
        before = text
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"no reply came as {reply}")


def parse_reply(text: str) -> Turn:
    """A list of tool calls, else what the model says, as it stands."""
    try:
        value = json.loads(text)
        calls = tuple(ToolCall(call["name"], call["input"]) for call in value)
    except (ValueError, TypeError, KeyError):
        return Turn(text.strip())
    return Turn(calls=calls) if isinstance(value, list) and calls else Turn(text.strip())


def agent_of(body: Json) -> str:
    """The agent that asks; the model's name where it is none of ours."""
    asked = ((body.get("output_config") or {}).get("format") or {}).get("schema", {}).get("properties", {})
    return next((agent for field, agent in ANSWERS.items() if field in asked), str(body["model"]))


def render_request(body: Json) -> str:
    """A request as a page for a person, in the order in which a model reads it."""
    settings = {key: body.get(key) for key in ("model", "max_tokens", "thinking")}
    settings["effort"] = (body.get("output_config") or {}).get("effort")
    parts = [f"# {json.dumps(settings)}", "# tools"]
    for tool in body.get("tools") or ():
        parts.append(f"## {tool['name']}\n{tool['description']}\n{json.dumps(tool['input_schema'])}")
    parts += ["# answer", json.dumps((body.get("output_config") or {}).get("format")), "# system"]
    parts += [block["text"] for block in _blocks(body.get("system"))]
    for number, message in enumerate(body["messages"], 1):
        parts.append(f"# message {number}: {message['role']}")
        parts += [_render_block(block) for block in _blocks(message["content"])]
    return "\n\n".join(parts) + "\n"


def _render_block(block: Json) -> str:
    kind = block["type"]
    if kind == "tool_use":
        return f"[calls {block['name']} {json.dumps(block['input'], ensure_ascii=False)}]"
    if kind == "tool_result":
        return "[result]\n" + "\n".join(part["text"] for part in _blocks(block.get("content")))
    return str(block["text"]) if kind == "text" else f"[{kind}]"


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def find_change(name: str) -> RealChange:
    """A change such as ``vuln:25``: a kind, and the number of the record in its file of the shared data."""
    kind, record = find_record(name)
    base, head = both_sides(record[KINDS[kind][1]])
    if kind not in MENDS:
        return RealChange(name, base, head)
    tests = both_sides(record.get("test_diff") or record["test_patch"])[1]
    junit = record.get("junit_xml") or render_junit(record["failing_tests"])
    return RealChange(name, {**tests, **head}, {**tests, **base}, junit=junit)


def find_record(name: str) -> tuple[str, Json]:
    """The kind and the record of a change such as ``vuln:25``."""
    kind, _, number = name.partition(":")
    return kind, next(record for at, record in enumerate(read_records(KINDS[kind][0])) if at == int(number))


def render_junit(tests: Iterable[Json]) -> str:
    """A report of the failed tests as Surefire writes it."""
    suite = ElementTree.Element("testsuite", tests=str(len(list(tests))))
    for test in tests:
        case = ElementTree.SubElement(suite, "testcase", classname=test["classname"], name=test["name"])
        for said in test["result"]:
            tag = "error" if said["result"] == "Error" else "failure"
            ElementTree.SubElement(case, tag, type=said["type"] or "", message=said["message"] or "")
        for tag in ("stdout", "stderr"):
            if test[tag]:
                ElementTree.SubElement(case, f"system-{tag[3:]}").text = test[tag]
    return ElementTree.tostring(suite, encoding="unicode")


def commit_inside(repository: Sandbox, name: str, clone: Path) -> tuple[str, str]:
    """Base and head of a change with the whole project around it; ``clone`` holds its commits.

    Of a change that is turned round only the files of its diff go back, so its tests stay.
    """
    kind, record = find_record(name)
    _, diff, before, after = KINDS[kind]
    objects = repository.git("-C", str(clone.absolute()), "rev-parse", "--git-path", "objects")
    objects = str(clone.absolute() / objects)
    (repository.folder / ".git/objects/info/alternates").write_text(f"{objects}\n")
    repository.git("read-tree", record[before])
    base = repository.git("commit-tree", "-m", "base", repository.git("write-tree"))
    if kind in ("pr", "clean"):
        repository.git("read-tree", record[after])
    else:
        sides = both_sides(record[diff])
        for path in sorted({*sides[0], *sides[1]}):
            entry = repository.git("ls-tree", record[after], "--", path)
            gone = f"000000 {'0' * 40}\t{path}"
            repository.git("update-index", "--index-info", stdin=f"{entry or gone}\n".encode())
    head = repository.git("commit-tree", "-p", base, "-m", "head", repository.git("write-tree"))
    return base, head


def review(folder: Path, name: str) -> None:
    """Review one real change; its requests, its repository and its reports lie in a folder of its own."""
    name, _, clone = name.partition("=")
    home = folder / name.replace(":", "-")
    change = find_change(name)
    repository = Sandbox(home / "repository")
    base, head = commit_inside(repository, name, Path(clone)) if clone else change.commit(repository)
    (home / "junit.xml").write_text(change.junit)
    with ScriptedModel(Relay(home)) as model:
        request = Request(
            folder=repository.folder,
            base=base,
            head=head,
            junit=(str(home / "junit.xml"),) if change.junit else (),
            asked=Asked(overrides={"engine": "claude"}),
            environment=environment(model),
        )
        made = review_change(request, Journal(), Progress(StringIO()).step)
    (home / "report.json").write_text(json.dumps(report_document(made), indent=1))
    print(f"{name}: {made.verdict.conclusion}; refused requests: {model.refused}", flush=True)


def environment(model: ScriptedModel) -> dict[str, str]:
    """What lets a run find the relay."""
    return {"ANTHROPIC_API_KEY": "relay", "ANTHROPIC_BASE_URL": model.base_url}


def lift_deadlines() -> None:
    """Give every agent the time that a person needs, in this process."""
    loop.LONGEST_CALL_SECONDS = PATIENCE_SECONDS
    subagents.SPECS = {  # type: ignore[attr-defined]
        name: replace(spec, bounds=replace(spec.bounds, seconds=PATIENCE_SECONDS))
        for name, spec in SPECS.items()
    }


def listen(folder: Path) -> int:
    """Say where the relay is and wait until somebody interrupts it."""
    with ScriptedModel(Relay(folder)) as model:
        print("\n".join(f"{key}={value}" for key, value in environment(model).items()), flush=True)
        threading.Event().wait()
    return 0


def run_reviewbot(folder: Path, arguments: list[str]) -> int:
    """Run the command line in this process, its reports in ``folder``."""
    lift_deadlines()
    with ScriptedModel(Relay(folder)) as model:
        os.environ |= environment(model)
        return cli.main([*arguments, "--out", str(folder / "out")])


def review_changes(folder: Path, names: list[str]) -> int:
    """Review some real changes side by side."""
    lift_deadlines()
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: review(folder, name), names))
    return 0


def print_table(folder: Path) -> int:
    """A row for each agent over all runs below ``folder``."""
    rows: dict[str, Counter[str]] = {}
    for path in sorted(folder.rglob("report.json")):
        for agent, counts in count_run(path):
            rows.setdefault(agent, Counter()).update(counts)
    names = (
        "tasks",
        "done",
        "steps",
        "calls",
        "denied",
        "invalid",
        "claims",
        "dropped",
        "true",
        "false",
        "missed",
        "tokens in",
        "tokens out",
    )
    print(f"| agent | {' | '.join(names)} |\n{'|---' * (len(names) + 1)}|")
    for agent, counts in rows.items():
        if not counts["tasks"]:
            continue
        print(f"| {agent} | {' | '.join(str(counts[name]) for name in names)} |")
    return 0


def count_run(path: Path) -> Iterator[tuple[str, Counter[str]]]:
    """What one report says of each agent, with what the judge wrote beside it."""
    report = json.loads(path.read_text())
    truth = path.parent / "truth.json"
    truth = truth if truth.exists() else path.parent.parent / "truth.json"
    judged = json.loads(truth.read_text()) if truth.exists() else {}
    for agent in report["agents"]:
        usage = dict(agent["usage"])
        counts = Counter(
            tasks=1, done=int(agent["stop"] == "done"), invalid=int(agent["stop"] == "invalid"),
            steps=agent["turns"], calls=agent["tool_calls"], denied=agent["denied_calls"],
        )  # fmt: skip
        counts["tokens out"] = usage.pop("output")
        counts["tokens in"] = sum(usage.values())
        yield agent["name"], counts
    for agent in ANSWERS.values():
        claims = sum(finding["rule"].startswith(f"{agent}/") for finding in report["findings"])
        dropped = sum(row["rule"].startswith(f"{agent}/") for row in report["rejected"])
        yield agent, Counter(claims=claims, dropped=dropped, **judged.get(agent, {}))


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for."""
    if not arguments:
        print(__doc__)
        return 2
    folder, rest = Path(arguments[0]), arguments[1:]
    if rest == ["--table"]:
        return print_table(folder)
    if rest[:1] == ["--"]:
        return run_reviewbot(folder, rest[1:])
    return review_changes(folder, rest) if rest else listen(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
