import time

import pytest

from reviewbot.core import Evidence, Location, Severity, Side
from reviewbot.evidence.analyzers import AnalyzerRun, run_analyzers
from reviewbot.evidence.checkouts import find_checkout_lines, find_checkouts, find_env, parse_workflow
from tests.evidence.whole_files import change_set, modified_file, whole_files

PATH = ".github/workflows/pr.yml"
PIN = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8"
EVENT = "github.event.pull_request"
HEAD = "${{ github.event.pull_request.head.sha }}"
NUMBER = "${{ github.event.number }}"
TOP = """name: pr
on: pull_request_target
permissions: {}
jobs:
  test:
    runs-on: ubuntu-24.04
    permissions: {contents: read}
"""
WITH = (
    f"    steps:\n      - uses: {PIN}\n        with:\n          persist-credentials: false\n"  # lines 8 to 11
)
RUN = "    steps:\n      - run: "  # line 9


def run(text: str) -> AnalyzerRun:
    changes, read_blob = whole_files({PATH: text})
    return run_analyzers(changes, read_blob, names=["zizmor"])


def checkouts(found: AnalyzerRun) -> list[Evidence]:
    """Our results, without those that stand at the trigger."""
    return [item for item in found.evidence if item.title.startswith("Checks out")]


def places(text: str) -> list[tuple[int, int, Severity]]:
    found = run(text)
    assert found.failed == {}
    return [
        (item.location.start_line, item.location.end_line, item.severity)
        for item in checkouts(found)
        if item.location
    ]


@pytest.mark.parametrize(
    ("ref", "last"),
    [
        (f"ref: {HEAD}", 12),
        (f"ref:\n            {HEAD}", 13),
        (f"ref: >-\n            {HEAD}", 13),
        (f"ref: |\n            {HEAD}", 13),
        (f"ref: '{HEAD}'", 12),
        (f'"ref" : {HEAD}', 12),
        (f"Ref: {HEAD}", 12),
        (f"ref: ${{{{ {EVENT}['head']['sha'] }}}}", 12),
        ("ref: ${{ github.event['pull_request'].head.sha }}", 12),
        ("ref: ${{ GitHub . Event . pull_request . head . sha }}", 12),
        (f"ref: ${{{{ fromJSON(toJSON({EVENT})).head.sha }}}}", 12),
        (f"ref: pull/{NUMBER}/head", 12),
        (f"ref: refs/pull/{NUMBER}/merge", 12),
        ("ref: ${{ format('refs/pull/{0}/merge', github.event.number) }}", 12),
        (f"ref: ${{{{ {EVENT}.merge_commit_sha }}}}", 12),
        ("ref: ${{ github.head_ref }}", 12),
        (f"repository: ${{{{ {EVENT}.head.repo.full_name }}}}", 12),
        ("ref: ${{ github.event.after }}", 12),
        ("ref: ${{ format('refs/{0}/{1}/merge', 'pull', github.event.number) }}", 12),
        (f"ref: ${{{{ format('{{0}}/{{1}}/head', 'pull', {EVENT}.number) }}}}", 12),
    ],
)
def test_an_input_that_names_the_head_blocks_at_its_own_line(ref: str, last: int) -> None:
    assert places(f"{TOP}{WITH}          {ref}\n") == [(12, last, Severity.HIGH)]


@pytest.mark.parametrize("value", [HEAD, f"refs/pull/{NUMBER}/head"])
def test_an_env_value_that_names_the_head_is_followed_at_every_level(value: str) -> None:
    env = f"env:\n{{0}}  SHA: {value}\n"
    ref = "          ref: ${{ env.SHA }}\n"
    step = f"{TOP}{WITH}{ref}        {env.format('        ')}"
    job = f"{TOP}    {env.format('    ')}{WITH}{ref}"
    workflow = f"{env.format('')}{TOP}{WITH}{ref}"
    assert places(step) == [(12, 12, Severity.HIGH)]
    assert places(job) == [(14, 14, Severity.HIGH)]
    assert places(workflow) == [(14, 14, Severity.HIGH)]
    assert any(place.start_line == 14 for place in checkouts(run(step))[0].related)


@pytest.mark.parametrize(
    "script",
    [
        'git fetch origin "$SHA" && git checkout "$SHA"',
        'git -C x -c a=b pull origin "${SHA}"',
        "git clone -b ${{ env.SHA }} https://github.com/o/r",
        'gh pr checkout "$N"',
        'gh pr -R o/r checkout "$N"',
        "git -C x fetch origin refs/pull/1/head",
        f"git fetch origin pull/{NUMBER}/head:pr",
        "git fetch origin pull/$N/head",
        'git pull origin "$GITHUB_HEAD_REF"',
        f"curl -L https://github.com/o/r/archive/{HEAD}.tar.gz",
        f"wget https://github.com/o/r/archive/{HEAD}.zip",
        f"gh api repos/o/r/tarball/{HEAD} > x",
        "gh pr diff 1 | git apply",
        'gh -R o/r pr checkout "$N"',
        'gh --repo o/r pr checkout "$N"',
        "gh --repo=o/r pr co 1",
        "gh -R o/r pr diff 1 | git apply",
        f"curl -L ${{{{ {EVENT}.diff_url }}}} | git apply",
        f"wget -O- ${{{{ {EVENT}.patch_url }}}} | sh",
        f"curl ${{{{ {EVENT}['patch_url'] }}}} | sudo bash -s",
        "curl https://raw.githubusercontent.com/o/r/$SHA/x.sh | bash",
    ],
)
def test_a_command_that_brings_in_the_head_blocks(script: str) -> None:
    text = f"{TOP}{RUN}|\n          echo start\n          {script}\n        env:\n          SHA: {HEAD}\n          N: 1\n"
    assert places(text) == [(11, 11, Severity.HIGH)]


def test_a_clone_of_the_head_repository_blocks() -> None:
    env = f"\n        env:\n          U: ${{{{ {EVENT}.head.repo.clone_url }}}}\n          R: x\n"
    assert places(f'{TOP}{RUN}git clone -b "$R" "$U"{env}') == [(9, 9, Severity.HIGH)]


def test_a_command_is_read_across_continued_lines_and_in_folded_text() -> None:
    script = '|\n          gh \\\n            pr checkout "$N"\n          echo\n'
    assert places(f"{TOP}{RUN}{script}") == [(10, 11, Severity.HIGH)]
    assert places(f"{TOP}{RUN}>-\n          gh\n          pr checkout 1\n") == [(9, 11, Severity.HIGH)]


def test_a_variable_of_the_script_is_followed() -> None:
    script = f"|\n          sha={HEAD}\n          copy=$sha\n          git checkout $copy\n"
    assert places(f"{TOP}{RUN}{script}") == [(12, 12, Severity.HIGH)]
    asked = "|\n          SHA=$(gh pr view 1 --json headRefOid -q .headRefOid)\n          git checkout $SHA\n"
    assert places(f"{TOP}{RUN}{asked}") == [(11, 11, Severity.HIGH)]


@pytest.mark.parametrize(
    "ref",
    [
        "${{ steps.x.outputs.sha }}",
        "${{ needs.x.outputs.sha }}",
        "${{ github.event[format('{0}', 'x')].sha }}",
    ],
)
def test_a_computed_revision_is_a_guess(ref: str) -> None:
    found = run(f"{TOP}{WITH}          ref: {ref}\n")
    assert [(item.severity, item.confidence) for item in checkouts(found)] == [(Severity.MEDIUM, 0.5)]
    assert all(item.severity is not Severity.HIGH for item in found.evidence)


def test_a_carriage_return_hides_nothing() -> None:
    text = f"{TOP}{WITH}          # harmless\r          ref: {HEAD}\n"
    assert places(text) == [(12, 12, Severity.HIGH)]


@pytest.mark.parametrize(
    "on", ["issue_comment", "[push, issue_comment]", "{issue_comment: {types: [created]}}"]
)
def test_a_comment_on_an_issue_is_as_dangerous_as_a_pull_request(on: str) -> None:
    text = TOP.replace("pull_request_target", on)
    found = run(f"{text}{WITH}          ref: refs/pull/${{{{ github.event.issue.number }}}}/head\n")
    high = [item for item in found.evidence if item.severity is Severity.HIGH]
    assert [item.location.start_line for item in high if item.location] == [2, 12]


@pytest.mark.parametrize(
    "step",
    [
        f"{WITH}          ref: main # never refs/pull/1/head\n",
        f"{RUN}git checkout main # never refs/pull/1/head\n",
        f"{RUN}|\n          # git fetch origin refs/pull/1/head\n          git fetch origin main\n",
        f"{WITH}          ref: ${{{{ {EVENT}.base.sha }}}}\n",
        f"{WITH}        if: {EVENT}.head.repo.fork\n",
        f"{RUN}curl -o x ${{{{ {EVENT}.diff_url }}}}; grep TODO x\n",
        f"{WITH}      - uses: x/y@v1\n        with: {{number: '{NUMBER}'}}\n",
        f"{RUN}gh pr comment {NUMBER} -b thanks\n",
        f'{RUN}git merge-base origin/main "$SHA"\n        env:\n          SHA: {HEAD}\n',
        f"{RUN}curl https://api.github.com/repos/o/r/statuses/$SHA\n        env:\n          SHA: {HEAD}\n",
        f"    concurrency: x-${{{{ github.head_ref }}}}\n{WITH}",
    ],
)
def test_what_does_not_bring_in_the_head_does_not_count(step: str) -> None:
    assert places(f"{TOP}{step}") == []


def test_a_hash_in_quotes_begins_no_comment() -> None:
    text = f'{TOP}{RUN}|\n          echo "a # b"; git fetch origin refs/pull/1/head\n'
    assert places(text) == [(10, 10, Severity.HIGH)]


WORKFLOW_RUN = TOP.replace("on: pull_request_target", "on: {workflow_run: {workflows: [ci]}}")
RUN_HEAD = f"{WITH}          ref: ${{{{ github.event.workflow_run.head_sha }}}}\n"


@pytest.mark.parametrize(
    ("condition", "severity"),
    [
        ("github.event.workflow_run.event == 'push'", Severity.MEDIUM),
        ("${{ github.event.workflow_run.event == 'push' && (success() || always()) }}", Severity.MEDIUM),
        ("github.event.workflow_run.head_repository.full_name == github.repository", Severity.MEDIUM),
        ("github.repository == github.event.workflow_run.head_repository.full_name", Severity.MEDIUM),
        ("github.event.workflow_run.event == 'push' || true", Severity.HIGH),
        ("\"!(true && github.event.workflow_run.event == 'push')\"", Severity.HIGH),
        ("|\n            github.event.workflow_run.event == 'push'", Severity.MEDIUM),
        (">-\n            ${{ github.event.workflow_run.event == 'push' }}", Severity.MEDIUM),
        ("github.event.workflow_run.event != 'push'", Severity.HIGH),
        ("|\n            ${{ github.event.workflow_run.event == 'push' }}", Severity.HIGH),
        (">\n            ${{ github.event.workflow_run.event == 'push' }}", Severity.HIGH),
        ("\"${{ github.event.workflow_run.event == 'push' }} \"", Severity.HIGH),
        ("(true && github.event.workflow_run.event == 'push' && true) == false", Severity.HIGH),
        ("${{ true && github.event.workflow_run.event == 'push' && true }}${{ true }}", Severity.HIGH),
        ("github.event['x'][true && github.event.workflow_run.event == 'push' && 1] == null", Severity.HIGH),
        ("\"'(' || ')' && github.event.workflow_run.event == 'push'\"", Severity.HIGH),
        ("github.event.workflow_run.conclusion == 'success'", Severity.HIGH),
    ],
)
def test_a_condition_that_keeps_outsiders_out_lowers(condition: str, severity: Severity) -> None:
    line = 13 + condition.count("\n")
    assert places(f"{WORKFLOW_RUN}    if: {condition}\n{RUN_HEAD}") == [(line, line, severity)]
    assert places(f"{WORKFLOW_RUN}{RUN_HEAD}        if: {condition}\n") == [(12, 12, severity)]


@pytest.mark.parametrize(
    "condition",
    [
        "if: |\n      github.event.workflow_run.event ==\n      'push'",
        "\"if\" : ${{ github.actor == 'me' }}",
        "if: contains(github.event.sender.login, 'me')",
    ],
)
def test_every_deleted_condition_is_related_to_a_checkout_without_guard(condition: str) -> None:
    blobs: dict[str, bytes] = {}
    old = f"{WORKFLOW_RUN}    {condition}\n{RUN_HEAD}"
    change = modified_file(PATH, old, f"{WORKFLOW_RUN}{RUN_HEAD}", blobs)
    found = checkouts(run_analyzers(change_set(change), blobs.__getitem__, names=["zizmor"]))
    assert Location(PATH, 8, 8, Side.LEFT) in found[0].related


def test_a_deleted_line_of_a_guard_is_related_where_its_if_stays() -> None:
    kept = f"{WORKFLOW_RUN}    if: |\n      success() &&\n"
    blobs: dict[str, bytes] = {}
    change = modified_file(
        PATH,
        f"{kept}      github.event.workflow_run.event == 'push'\n{RUN_HEAD}",
        f"{kept}      true\n{RUN_HEAD}",
        blobs,
    )
    found = checkouts(run_analyzers(change_set(change), blobs.__getitem__, names=["zizmor"]))
    assert Location(PATH, 10, 10, Side.LEFT) in found[0].related


def test_a_deleted_condition_says_nothing_of_a_checkout_that_is_still_guarded() -> None:
    new = f"{WORKFLOW_RUN}    if: github.event.workflow_run.event == 'push'\n{RUN_HEAD}"
    blobs: dict[str, bytes] = {}
    change = modified_file(PATH, f"{new}      - run: x\n        if: success()\n", new, blobs)
    found = checkouts(run_analyzers(change_set(change), blobs.__getitem__, names=["zizmor"]))
    assert [item.severity for item in found] == [Severity.MEDIUM]
    assert all(place.side is Side.RIGHT for place in found[0].related)


def test_taking_the_condition_away_blocks() -> None:
    old = f"{WORKFLOW_RUN}    if: github.event.workflow_run.event == 'push'\n{RUN_HEAD}"
    blobs: dict[str, bytes] = {}
    change = modified_file(PATH, old, f"{WORKFLOW_RUN}{RUN_HEAD}", blobs)
    found = checkouts(run_analyzers(change_set(change), blobs.__getitem__, names=["zizmor"]))
    assert [item.severity for item in found] == [Severity.HIGH]
    assert Location(PATH, 8, 8, Side.LEFT) in found[0].related


def test_what_yaml_cannot_read_is_searched_as_text_and_is_not_called_read() -> None:
    deep = "[" * 70 + "]" * 70
    text = f"{TOP}    env: {{X: {deep}}}\n{WITH}          ref: {HEAD}\n".replace("    env", "    strategy", 1)
    found = run(text)
    assert PATH in found.failed
    assert found.scanned == {}
    large = f"{TOP}{WITH}          ref: {HEAD}\n" + "# padding\n" * 30_000
    found = run(large)
    assert "262144 characters" in found.failed[PATH]
    assert [item.severity for item in checkouts(found)] == [Severity.HIGH]


def test_aliases_are_followed_and_bounded() -> None:
    text = f"{TOP}    steps: &s\n      - run: gh pr checkout 1\n  two:\n    runs-on: x\n    steps: *s\n"
    assert [(item.first, item.last) for item in find_checkouts(parse_workflow(text))] == [(9, 9)]
    with pytest.raises(ValueError, match="aliases"):
        parse_workflow("a: &a {}\nb: [" + "*a, " * 200 + "]\n")
    loop = parse_workflow("jobs: {x: {steps: &a [*a], env: {}}}\n")
    assert find_checkouts(loop) == ()


@pytest.mark.parametrize("text", ["", "a: [", "a: *x", 'a: "\\UFFFFFFFF"', "--- 1\n--- 2\n", "[" * 5000])
def test_what_is_no_workflow_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r".{8}"):
        parse_workflow(text)


@pytest.mark.parametrize(
    "text", ["jobs: 1", "jobs: {a: [1]}", "jobs: {a: {steps: {}, env: []}}", "- 1", "{[1]: 2}"]
)
def test_other_forms_have_no_checkouts(text: str) -> None:
    root = parse_workflow(text)
    assert find_checkouts(root) == ()
    assert find_env(root, ("jobs", "a", "steps", 7), "x") is None


@pytest.mark.parametrize(
    "unit",
    [
        "pull/",
        "refs/pull",
        "git -c ",
        "git -",
        "${{ ",
        "['a']",
        "a =",
        "git fetch ",
        " " * 50,
        "'",
        '" #',
        "gh pr -r x ",
        "%a",
        "github.event.pull_request.",
    ],
)
def test_long_lines_take_linear_time(unit: str) -> None:
    started = time.process_time()
    find_checkout_lines(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 4


def test_a_changed_env_value_blocks_although_the_checkout_stood_before() -> None:
    old = f"{TOP}    env:\n      SHA: main\n{WITH}          ref: ${{{{ env.SHA }}}}\n"
    blobs: dict[str, bytes] = {}
    change = modified_file(PATH, old, old.replace("SHA: main", f"SHA: {HEAD}"), blobs)
    found = run_analyzers(change_set(change), blobs.__getitem__, names=["zizmor"])
    assert [place.start_line for place in checkouts(found)[0].related] == [2, 9]


def test_a_download_that_is_applied_later_blocks_where_it_is_applied() -> None:
    script = f"|\n          curl -o x ${{{{ {EVENT}.diff_url }}}}\n          ls\n          git apply x\n"
    assert places(f"{TOP}{RUN}{script}") == [(12, 12, Severity.HIGH)]


SCRIPT = "    steps:\n      - uses: actions/github-script@v7\n        with:\n          script: "  # line 11


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("|\n            // start\n            await exec.exec('gh pr checkout 1')\n", (13, 13)),
        ("|\n            await exec.exec('git', ['fetch', 'origin', 'refs/pull/1/head'])\n", (12, 12)),
        ("|\n            await exec.exec('gh', [\n              'pr', 'checkout', '1'])\n", (11, 13)),
        ("await exec.exec(`git fetch origin pull/${n}/head`)\n", (11, 11)),
    ],
)
def test_the_script_of_an_action_is_searched_too(script: str, lines: tuple[int, int]) -> None:
    assert places(f"{TOP}{SCRIPT}{script}") == [(*lines, Severity.HIGH)]


def test_a_script_of_an_action_that_fetches_nothing_does_not_count() -> None:
    script = "|\n            // git fetch origin refs/pull/1/head\n            if (x.startsWith('refs/pull/')) return\n"
    assert places(f"{TOP}{SCRIPT}{script}") == []


DEFINED = """    steps:
      - id: Pr
        run: |
          set -e
          echo "sha=$(gh api repos/o/r/pulls/1 --jq .head.sha)" >> "$GITHUB_OUTPUT"
"""


def test_an_output_of_a_step_that_speaks_of_the_head_is_certain() -> None:
    use = f"      - uses: {PIN}\n        with: {{persist-credentials: false, ref: '${{{{ steps.pr.outputs.sha }}}}'}}\n"
    found = checkouts(run(f"{TOP}{DEFINED}{use}"))
    assert [(item.severity, item.location and item.location.start_line) for item in found] == [
        (Severity.HIGH, 14)
    ]
    assert 12 in [place.start_line for place in found[0].related]
    command = '      - run: git checkout "$X"\n        env: {X: "${{ steps.pr.outputs.sha }}"}\n'
    assert places(f"{TOP}{DEFINED}{command}") == [(13, 13, Severity.HIGH)]


@pytest.mark.parametrize("first", [True, False])
def test_an_output_of_another_job_is_followed_in_either_order(first: bool) -> None:
    head, jobs = TOP.split("  test:\n")
    needed = f"  find:\n    runs-on: x\n    outputs: {{sha: '${{{{ steps.pr.outputs.sha }}}}'}}\n{DEFINED}"
    user = f"  test:\n{jobs}    needs: find\n{WITH}          ref: ${{{{ needs.find.outputs.sha }}}}\n"
    text = head + (needed + user if first else user + needed)
    (found,) = find_checkouts(parse_workflow(text))
    assert (found.certain, text.split("\n")[found.first - 1].strip()[:4]) == (True, "ref:")
    assert any("outputs: {sha" in text.split("\n")[line - 1] for line in found.origins)


def test_an_output_of_something_else_stays_a_guess() -> None:
    other = DEFINED.replace(".head.sha", ".base.sha")
    use = f"      - uses: {PIN}\n        with: {{ref: '${{{{ steps.pr.outputs.sha }}}}'}}\n"
    (found,) = find_checkouts(parse_workflow(f"{TOP}{other}{use}"))
    assert not found.certain


def test_too_many_sources_of_a_revision_make_the_file_unread_at_once() -> None:
    env = "".join(f"      a{n}: refs/pull/\n" for n in range(3000))
    named = " ".join(f"$a{n}" for n in range(3000))
    pulls = "          git pull $A\n" * 4000
    text = f"{TOP}    env:\n{env}      A: {named}\n{RUN}|\n{pulls}"
    started = time.process_time()
    found = run(text)
    assert time.process_time() - started < 10
    assert "more than 50 lines" in found.failed[PATH]
    assert found.scanned == {}


def test_too_many_checkouts_make_the_file_unread_but_the_first_ones_are_told() -> None:
    found = run(f"{TOP}{RUN}|\n" + "          git pull origin refs/pull/1/head\n" * 4000)
    assert "more than 200 checkouts" in found.failed[PATH]
    assert [item.severity for item in checkouts(found)] == [Severity.HIGH] * 200
