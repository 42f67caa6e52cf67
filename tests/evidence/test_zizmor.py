import pytest

from reviewbot.core import Evidence, Severity
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from tests.evidence.whole_files import whole_files

PATH = ".github/workflows/ci.yml"
PIN = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8"
CLEAN = f"""name: ci
on: pull_request
permissions: {{}}
concurrency: {{group: ci, cancel-in-progress: true}}
jobs:
  test:
    name: Test
    runs-on: ubuntu-24.04
    permissions: {{contents: read}}
    steps:
      - uses: {PIN}
        with:
          persist-credentials: false
      - run: make test
"""
INJECTED = CLEAN.replace("make test", 'echo "${{ github.event.pull_request.title }}"')
TARGET = CLEAN.replace("on: pull_request\n", "on: pull_request_target\n")
HEAD_SHA = "${{ github.event.pull_request.head.sha }}"
CHECKOUT = TARGET.replace("with:\n", f"with:\n          ref: {HEAD_SHA}\n")


def run(files: dict[str, str | bytes]) -> AnalyzerRun:
    changes, read_blob = whole_files(files)
    return run_analyzers(changes, read_blob, names=["zizmor"])


def high(found: AnalyzerRun) -> list[Evidence]:
    return [item for item in found.evidence if item.severity is Severity.HIGH]


def places(items: list[Evidence]) -> list[tuple[str, int]]:
    return [(item.rule, item.location.start_line) for item in items if item.location]


def test_a_clean_workflow_has_no_findings_and_is_scanned() -> None:
    found = run({PATH: CLEAN})
    assert found.evidence == ()
    assert found.scanned == {PATH: ("zizmor",)}
    assert found.failed == {}


def test_a_title_in_a_script_is_high_at_the_line_of_the_expression() -> None:
    assert places(high(run({PATH: INJECTED}))) == [("template-injection", 14)]


def test_in_a_long_script_the_location_is_the_line_of_the_expression() -> None:
    script = "|\n          set -e\n          echo start\n          echo ${{ github.event.issue.title }}\n          echo end"
    assert places(high(run({PATH: CLEAN.replace("make test", script)}))) == [("template-injection", 17)]


def test_checking_out_a_pull_request_under_its_target_blocks_at_checkout_and_trigger() -> None:
    found = high(run({PATH: CHECKOUT}))
    assert places(found) == [("dangerous-triggers", 2), ("dangerous-triggers", 13)]
    assert all(item.confidence >= 0.9 for item in found)
    assert [place.start_line for place in found[1].related] == [2]
    assert found[0].title.endswith("line 13 checks out the pull request's code")
    assert found[1].title.startswith("Checks out the pull request's code")


@pytest.mark.parametrize(
    "step",
    [
        "run: gh pr checkout 1",
        "run: git fetch origin refs/pull/${{ github.event.number }}/head",
        f"{{uses: {PIN}, with: {{ref: '${{{{ github.head_ref }}}}', persist-credentials: false}}}}",
    ],
)
def test_other_ways_to_fetch_the_pull_request_block_too(step: str) -> None:
    text = TARGET.replace("run: make test", step)
    assert ("dangerous-triggers", 14) in places(high(run({PATH: text})))


def test_a_workflow_run_that_checks_out_the_head_blocks() -> None:
    trigger = "on:\n  workflow_run:\n    workflows: [ci]\n"
    text = CLEAN.replace("on: pull_request\n", trigger).replace(
        "with:\n", "with:\n          ref: ${{ github.event.workflow_run.head_sha }}\n"
    )
    assert places(high(run({PATH: text}))) == [("dangerous-triggers", 3), ("dangerous-triggers", 15)]


def test_a_dangerous_trigger_without_a_checkout_of_the_head_does_not_block() -> None:
    found = run({PATH: TARGET})
    assert high(found) == []
    assert [(item.rule, item.severity) for item in found.evidence] == [
        ("dangerous-triggers", Severity.MEDIUM)
    ]


def test_what_is_common_does_not_block() -> None:
    text = CLEAN.replace(PIN, "actions/checkout@v4").replace("persist-credentials: false", "fetch-depth: 0")
    text = text.replace("permissions: {}\n", "").replace("    permissions: {contents: read}\n", "")
    found = run({PATH: text})
    assert {"unpinned-uses", "artipacked", "excessive-permissions"} <= {item.rule for item in found.evidence}
    assert high(found) == []


def test_inline_ignores_change_nothing() -> None:
    text = INJECTED.replace('title }}"', 'title }}" # zizmor: ignore[template-injection]')
    assert places(high(run({PATH: text}))) == [("template-injection", 14)]


def test_config_files_of_the_change_change_nothing() -> None:
    off = "rules:\n  template-injection:\n    disable: true\n    ignore: [ci.yml]\n"
    found = run({".github/zizmor.yml": off, "zizmor.yml": off, ".gitignore": "*\n", PATH: INJECTED})
    assert places(high(found)) == [("template-injection", 14)]


def test_one_broken_workflow_fails_alone_and_says_why() -> None:
    broken = ".github/workflows/broken.yml"
    files: dict[str, str | bytes] = {f".github/workflows/w{n}.yml": INJECTED for n in range(3)}
    found = run({**files, broken: "name: [x\non: push\n"})
    assert len(high(found)) == 3
    assert set(found.failed) == {broken}
    assert "line 2" in found.failed[broken]
    assert broken not in found.scanned


def test_many_broken_workflows_cost_one_call_and_lose_no_other() -> None:
    files: dict[str, str | bytes] = {f".github/workflows/b{n}.yml": "name: [x\non: push\n" for n in range(60)}
    found = run({**files, PATH: INJECTED})
    assert len(found.failed) == 60
    assert found.scanned == {PATH: ("zizmor",)}
    assert len(found.runs) == 1


def test_a_workflow_of_unknown_form_is_never_a_silent_pass() -> None:
    found = run({PATH: "on: push\njobs: [1, 2]\n"})
    assert found.scanned == {}
    assert found.failed == {
        PATH: "zizmor could not parse the file: input does not match expected validation schema"
    }


def test_actions_and_dependabot_files_are_read() -> None:
    action = (
        "name: x\ndescription: y\ninputs: {who: {description: d}}\nruns:\n  using: composite\n  steps:\n"
        "    - run: echo ${{ inputs.who }}\n      shell: bash\n"
    )
    dependabot = (
        "version: 2\nupdates:\n  - package-ecosystem: pip\n    directory: /\n    schedule: {interval: daily}\n"
        "    insecure-external-code-execution: allow\n"
    )
    found = run({"tools/a/action.yaml": action, ".github/dependabot.yml": dependabot})
    assert ("dependabot-execution", 6) in places(high(found))
    injected = [item for item in found.evidence if item.rule == "template-injection"]
    assert [(item.severity, places([item])) for item in injected] == [
        (Severity.MEDIUM, [("template-injection", 7)])
    ]
    assert set(found.scanned) == {"tools/a/action.yaml", ".github/dependabot.yml"}


@pytest.mark.parametrize("key", ["? runs\n:", '"runs":', "? 'runs'\n:", "Runs:", '"r\\u0075ns":'])
def test_no_spelling_of_the_key_hides_an_action(key: str) -> None:
    action = (
        f"name: x\ndescription: y\n{key}\n  using: composite\n  steps:\n"
        "    - run: echo ${{ github.head_ref }}\n      shell: bash\n"
    )
    found = run({"action.yml": action})
    assert high(found) or "action.yml" in found.failed


def test_a_broken_action_fails_and_a_file_of_the_same_name_without_runs_does_not() -> None:
    found = run(
        {
            "a/action.yml": "runs: [x\n",
            "b/action.yml": "",
            "c/action.yml": "# nothing\n",
            "d/action.yml": "a: {runs: 1}\n",
        }
    )
    assert set(found.failed) == {"a/action.yml"}
    assert found.scanned == {}


def test_other_yaml_is_not_passed_to_zizmor() -> None:
    found = run({"a/.github/workflows/ci.yml": INJECTED, "action.yml": "key: value\n", "x.yml": INJECTED})
    assert (found.scanned, found.runs) == ({}, ())


@pytest.mark.parametrize("ending", ["\r", "\x85", "\u2028"])
def test_line_numbers_are_ours_where_yaml_sees_other_line_ends(ending: str) -> None:
    text = INJECTED.replace("name: ci\n", f"name: ci{ending}# two lines for YAML, one for us\n")
    assert places(high(run({PATH: text}))) == [("template-injection", 14)]


def test_windows_line_ends_keep_the_numbers() -> None:
    assert places(high(run({PATH: CHECKOUT.replace("\n", "\r\n")}))) == [
        ("dangerous-triggers", 2),
        ("dangerous-triggers", 13),
    ]


def injections(text: str, path: str = PATH) -> list[tuple[int, Severity]]:
    return [
        (item.location.start_line, item.severity)
        for item in run({path: text}).evidence
        if item.rule == "template-injection" and item.location
    ]


@pytest.mark.parametrize(
    ("context", "severity"),
    [
        ("github.event.pull_request.title", Severity.HIGH),
        ("github.event.pull_request['body']", Severity.HIGH),
        ("github.event.pull_request.head.ref", Severity.HIGH),
        ("github.event.comment.body", Severity.HIGH),
        ("github.head_ref", Severity.HIGH),
        ("toJSON(github.event)", Severity.HIGH),
        ("github.ref", Severity.MEDIUM),
        ("github.ref_name", Severity.MEDIUM),
        ("github['ref_name']", Severity.MEDIUM),
        ("github . ref_name", Severity.MEDIUM),
        ("github.base_ref", Severity.MEDIUM),
        ("github.event.pull_request.base.ref", Severity.MEDIUM),
    ],
)
def test_text_of_outsiders_in_a_script_is_high_and_text_of_writers_is_not(
    context: str, severity: Severity
) -> None:
    assert injections(CLEAN.replace("make test", f"echo ${{{{ {context} }}}}")) == [(14, severity)]


@pytest.mark.parametrize(
    ("on", "severity"),
    [
        ("{workflow_dispatch: {inputs: {x: {type: string}}}}", Severity.MEDIUM),
        ("{workflow_call: {inputs: {x: {type: string}}}}", Severity.HIGH),
        (
            "{workflow_dispatch: {inputs: {x: {type: string}}}, workflow_call: {inputs: {x: {type: string}}}}",
            Severity.HIGH,
        ),
    ],
)
def test_an_input_is_as_bad_as_those_who_can_give_it(on: str, severity: Severity) -> None:
    text = CLEAN.replace("on: pull_request\n", f"on: {on}\n").replace("make test", "echo ${{ inputs.x }}")
    assert injections(text) == [(14, severity)]


def test_outsiders_text_directly_in_an_action_is_high() -> None:
    action = (
        "name: x\ndescription: y\ninputs: {who: {description: d}}\nruns:\n  using: composite\n  steps:\n"
        "    - run: echo ${{ github.event.issue.title }}\n      shell: bash\n"
        "    - run: echo ${{ github.head_ref }}\n      shell: bash\n"
        "    - run: echo ${{ inputs.who }}\n      shell: bash\n"
        "    - run: echo ${{ env.T }}\n      shell: bash\n      env: {T: '${{ github.head_ref }}'}\n"
    )
    assert injections(action, "action.yml") == [
        (7, Severity.HIGH),
        (9, Severity.HIGH),
        (11, Severity.MEDIUM),
        (13, Severity.HIGH),
    ]


TITLE = "{T: '${{ github.event.pull_request.title }}'}"


@pytest.mark.parametrize("context", ["env.T", "env['T']", "env.t", "env . T"])
def test_outsiders_text_that_passes_through_env_into_a_script_is_high(context: str) -> None:
    text = CLEAN.replace("make test", f"echo ${{{{ {context} }}}}")
    assert injections(f"{text}        env: {TITLE}\n") == [(14, Severity.HIGH)]
    job = text.replace("    steps:\n", f"    env: {TITLE}\n    steps:\n")
    found = high(run({PATH: job}))
    assert places(found) == [("template-injection", 15)]
    assert 10 in [place.start_line for place in found[0].related]


def test_env_in_the_shell_or_with_harmless_text_passes() -> None:
    shell = CLEAN.replace("make test", 'echo "$T"') + f"        env: {TITLE}\n"
    assert injections(shell) == []
    number = CLEAN.replace("make test", "echo ${{ env.T }}") + (
        "        env: {T: '${{ github.event.pull_request.number }}'}\n"
    )
    inner = CLEAN.replace("make test", "echo ${{ env.T }}") + "        env: {T: '${{ github.sha }}'}\n"
    inner = inner.replace("    steps:\n", f"    env: {TITLE}\n    steps:\n")
    assert high(run({PATH: number})) == []
    assert high(run({PATH: inner})) == []
