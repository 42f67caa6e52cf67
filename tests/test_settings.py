import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core import GateRules, Severity, Threshold
from reviewbot.errors import UsageError
from reviewbot.policy.cascade import SCALARS, resolve_settings
from reviewbot.policy.config_text import render_config
from reviewbot.policy.file import parse_policy
from reviewbot.settings import PathRule, Policy, Settings, excluded_by, gate_rules
from reviewbot.text import printable

REPOSITORY = ".github/reviewbot.yml at 1a2b3c4d"


def policy(text: str, where: str = REPOSITORY) -> Policy:
    return parse_policy(text.encode(), where)


def settings(text: str, **argv: object) -> Settings:
    return resolve_settings([policy(text)], argv)


@pytest.mark.parametrize("module", ["reviewbot.settings", "reviewbot.policy.cascade", "reviewbot.journal"])
def test_importing_it_imports_nothing_heavy(module: str) -> None:
    heavy = "{'pydantic', 'yaml', 'pathspec', 'jinja2', 'rich'}"
    program = f"import sys, {module}; sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")


def test_without_patterns_pathspec_stays_out() -> None:
    program = (
        "import sys; from reviewbot.settings import *; from reviewbot.policy.config_text import *;"
        "from reviewbot.policy.cascade import resolve_settings;"
        "settings = resolve_settings([], {'fail_on': 'low'});"
        "gate_rules(settings, ['a']); excluded_by(settings, 'a'); render_config(settings);"
        "sys.exit('pathspec' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_with_nothing_said_every_value_is_built_in() -> None:
    resolved = resolve_settings([], {})

    assert resolved == Settings(origins=resolved.origins)
    assert dict(resolved.origins) == dict.fromkeys((*SCALARS, "exclude", "path_rules"), "built-in")
    assert gate_rules(resolved, ["a.py"]) == GateRules()


CASCADE = {
    "engine": ("claude", "analyzers", "auto"),
    "fail_on": ("critical", "low", "medium"),
    "minimum_confidence": (0.1, 0.2, 0.3),
    "on_incomplete": ("fail", "neutral", "fail"),
    "budget_usd": (1.0, 0.0, 3.5),
    "analyzers": (("ruff",), (), ("zizmor", "hadolint")),
    "skip_authors": (("renovate[bot]",), (), ("mona", "dependabot[bot]")),
}


def yaml_value(value: object) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("name", "layers"), CASCADE.items())
def test_each_layer_beats_the_one_before(name: str, layers: tuple[object, object, object]) -> None:
    organisation, repository, argument = layers
    key = name.replace("_", "-")
    first = policy(f"{key}: {yaml_value(organisation)}", "organisation.yml")
    second = policy(f"# a comment\n{key}: {yaml_value(repository)}")

    resolved = [
        resolve_settings(policies, argv)
        for policies, argv in (([first], {}), ([first, second], {}), ([first, second], {name: argument}))
    ]

    assert [getattr(one, name) for one in resolved] == [organisation, repository, argument]
    assert [one.origins[name] for one in resolved] == [
        "organisation.yml:1",
        ".github/reviewbot.yml:2 at 1a2b3c4d",
        f"--{key}",
    ]
    others = [other for other in SCALARS if other != name]
    assert all(one.origins[other] == "built-in" for one in resolved for other in others)


def test_a_later_policy_that_is_silent_leaves_the_earlier_value() -> None:
    resolved = resolve_settings([policy("fail-on: low", "organisation.yml"), policy("engine: claude")], {})

    assert (resolved.fail_on, resolved.origins["fail_on"]) == (Severity.LOW, "organisation.yml:1")
    assert resolved.policies == ("organisation.yml", REPOSITORY)


@pytest.mark.parametrize(
    ("in_policy", "argument", "expected", "origin"),
    [
        ("true", None, True, ".github/reviewbot.yml:1 at 1a2b3c4d"),
        ("true", False, True, ".github/reviewbot.yml:1 at 1a2b3c4d"),
        ("false", True, True, "--fail-on-tests"),
        ("false", None, False, ".github/reviewbot.yml:1 at 1a2b3c4d"),
    ],
)
def test_the_flag_for_failed_tests_can_only_tighten(
    in_policy: str, argument: bool | None, expected: bool, origin: str
) -> None:
    resolved = settings(f"fail-on-tests: {in_policy}", fail_on_tests=argument)

    assert (resolved.fail_on_tests, resolved.origins["fail_on_tests"]) == (expected, origin)


def test_arguments_that_are_not_given_or_are_no_settings_change_nothing() -> None:
    argv: Mapping[str, object] = {**dict.fromkeys(SCALARS), "repo": ".", "base": "main"}

    assert resolve_settings([], argv) == resolve_settings([], {})


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("engine", "gpt", "--engine gpt"),
        ("fail_on", "HIGH", "--fail-on HIGH"),
        ("fail_on", ["low"], "--fail-on"),
        ("minimum_confidence", 1.01, "--minimum-confidence 1.01"),
        ("minimum_confidence", True, "--minimum-confidence True"),
        ("on_incomplete", "pass", "--on-incomplete pass"),
        ("budget_usd", "nan", "--budget-usd nan"),
        ("budget_usd", "inf", "--budget-usd inf"),
        ("budget_usd", -1, "--budget-usd -1"),
        ("budget_usd", "ten", "--budget-usd ten"),
        ("fail_on_tests", "yes", "--fail-on-tests yes"),
        ("analyzers", "ruff,ruff", "--analyzers ruff,ruff"),
        ("analyzers", ["bandit"], "--analyzers"),
        ("analyzers", 1, "--analyzers 1"),
        ("skip_authors", "mona,mona", "--skip-authors mona,mona"),
        ("skip_authors", ["a b"], "--skip-authors"),
        ("engine", "\x1b[2J", "--engine <U+001B>[2J"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused_by_its_option(
    name: str, value: object, option: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_settings([], {name: value})

    assert str(caught.value).startswith(option)
    assert caught.value.remedy.startswith("Give ")


def test_numbers_and_lists_of_the_command_line_may_be_text() -> None:
    resolved = resolve_settings([], {"budget_usd": "0.25", "analyzers": "ruff,hadolint", "fail_on": "info"})

    assert (resolved.budget_usd, resolved.analyzers) == (0.25, ("ruff", "hadolint"))
    assert resolved.fail_on is Severity.INFO


PATHS = """\
fail-on: high
paths:
  "src/**": {fail-on: low}
  "src/legacy/": {fail-on: critical, minimum-confidence: 0.9}
  "*.tf": {minimum-confidence: 0}
"""


def test_the_gate_knows_only_the_paths_with_a_threshold_of_their_own() -> None:
    rules = gate_rules(
        settings(PATHS), ["README.md", "src/a.py", "src/legacy/b.py", "src/legacy/c.tf", "x/d.tf"]
    )

    assert rules.threshold == Threshold(Severity.HIGH, 0.5)
    assert rules.by_path == {
        "src/a.py": Threshold(Severity.LOW, 0.5),
        "src/legacy/b.py": Threshold(Severity.CRITICAL, 0.9),
        "src/legacy/c.tf": Threshold(Severity.CRITICAL, 0),
        "x/d.tf": Threshold(Severity.HIGH, 0),
    }


def test_a_rule_that_says_what_holds_anyway_is_no_threshold_of_its_own() -> None:
    assert gate_rules(settings("fail-on: low\npaths: {src/: {fail-on: low}}"), ["src/a"]).by_path == {}


def test_the_rules_of_an_earlier_policy_beat_the_general_value_of_a_later_one() -> None:
    policies = [policy("paths: {src/: {fail-on: low}}", "organisation.yml"), policy("fail-on: critical")]
    resolved = resolve_settings(policies, {})

    assert gate_rules(resolved, ["src/a", "b"]).by_path == {"src/a": Threshold(Severity.LOW, 0.5)}


def test_the_command_line_beats_the_path_rules_but_only_in_what_it_says() -> None:
    resolved = settings(PATHS, fail_on="medium")
    rules = gate_rules(resolved, ["src/a.py", "src/legacy/b.py"])

    assert rules.by_path == {"src/legacy/b.py": Threshold(Severity.MEDIUM, 0.9)}
    everything = settings(PATHS, fail_on="medium", minimum_confidence=0.7)
    assert gate_rules(everything, ["src/a.py", "src/legacy/b.py", "d.tf"]).by_path == {}


def test_the_other_rules_of_the_gate_are_handed_on() -> None:
    rules = gate_rules(settings("fail-on-tests: true\non-incomplete: fail"), [])

    assert (rules.fail_on_tests, rules.on_incomplete) == (True, "fail")


def test_excludes_add_up_and_each_is_named_with_its_origin() -> None:
    first = policy("exclude:\n  - vendor/\n", "organisation.yml")
    second = policy("exclude:\n  - '*.lock'\n  - '!keep.lock'\n")
    resolved = resolve_settings([first, second], {})

    assert resolved.exclude == ("vendor/", "*.lock", "!keep.lock")
    assert excluded_by(resolved, "lib/vendor/a.py") == "vendor/ (organisation.yml:2)"
    assert excluded_by(resolved, "a/poetry.lock") == "*.lock (.github/reviewbot.yml:2 at 1a2b3c4d)"
    assert excluded_by(resolved, "a/keep.lock") is None
    assert excluded_by(resolved, "src/a.py") is None
    assert resolved.origins["exclude"] == (
        "organisation.yml:2, .github/reviewbot.yml:2 at 1a2b3c4d, .github/reviewbot.yml:3 at 1a2b3c4d"
    )


@pytest.mark.parametrize("path", ["yarn.lock\n", "yarn.lock\nx", "\nyarn.lock.py"])
def test_a_line_feed_at_the_end_of_a_name_does_not_slip_into_an_exclude(path: str) -> None:
    assert excluded_by(settings("exclude: ['*.lock']"), path) is None


@pytest.mark.parametrize("path", ["src/a\n/b.py", "src/\n", "src/a\nb/c.py", "src/b.py\n", "src/\udcff\n.py"])
def test_a_line_feed_in_a_name_does_not_slip_out_of_a_path_rule(path: str) -> None:
    for pattern in ("src/**", "src/", "/src", "*", "**/*"):
        rules = gate_rules(settings(f"paths: {{'{pattern}': {{fail-on: info}}}}"), [path])
        assert rules.by_path == {path: Threshold(Severity.INFO, 0.5)}, pattern


def test_paths_may_hold_bytes_that_are_no_text() -> None:
    path = b"src/caf\xe9.py".decode("utf-8", "surrogateescape")

    assert excluded_by(settings("exclude: ['src/caf?.py']"), path) is not None
    assert excluded_by(settings("exclude: ['caf.py']"), path) is None


def test_a_backslash_in_a_name_is_no_folder() -> None:
    assert excluded_by(settings("exclude: [vendor/]"), "vendor\\a.py") is None


def test_config_shows_each_value_with_its_origin_and_names_the_policy() -> None:
    text = "fail-on: low\nbudget-usd: 0.125\nexclude:\n  - docs/\npaths:\n  src/: {fail-on: info}\n"
    resolved = resolve_settings([policy(text, "a.yml at 1a2b3c4d")], {"fail_on": "medium", "analyzers": []})

    assert render_config(resolved) == (
        "engine                       auto                                      built-in\n"
        "fail-on                      medium                                    --fail-on\n"
        "minimum-confidence           0.50                                      built-in\n"
        "fail-on-tests                false                                     built-in\n"
        "on-incomplete                neutral                                   built-in\n"
        "budget-usd                   0.125                                     a.yml:2 at 1a2b3c4d\n"
        "budget-usd-per-pull-request  (none)                                    built-in\n"
        "budget-usd-per-month         (none)                                    built-in\n"
        "triage-model                 claude-haiku-5-5                          built-in\n"
        "test-fix-model               claude-sonnet-5-5                         built-in\n"
        "security-model               claude-opus-5-5                           built-in\n"
        "fallback-models              (none)                                    built-in\n"
        "verify                       true                                      built-in\n"
        "suggestions                  false                                     built-in\n"
        "fix-rounds                   1                                         built-in\n"
        "unproven-fixes               show                                      built-in\n"
        "prices                       (none)                                    built-in\n"
        "analyzers                    (none)                                    --analyzers\n"
        "skip-authors                 (none)                                    built-in\n"
        "exclude                      docs/                                     a.yml:4 at 1a2b3c4d\n"
        "paths                        src/: fail-on info (beaten by --fail-on)  a.yml:6 at 1a2b3c4d\n"
        "\n"
        "The policy was read from a.yml at 1a2b3c4d.\n"
    )


def test_config_says_that_there_is_no_policy() -> None:
    rendered = render_config(resolve_settings([], {}))

    assert rendered.endswith("\n\nNo policy file was read.\n")
    assert "\nexclude                      (none)                                  built-in\n" in rendered
    assert "\npaths                        (none)                                  built-in\n" in rendered


def test_config_names_an_empty_policy_too_and_all_in_their_order() -> None:
    rendered = render_config(resolve_settings([policy("", "organisation.yml"), policy("")], {}))

    assert rendered.endswith(f"\nThe policy was read from organisation.yml, then {REPOSITORY}.\n")


def test_config_shows_no_character_that_a_terminal_obeys() -> None:
    rule = PathRule("\x1b[2J\u202e", Severity.LOW, None)
    rendered = render_config(Settings(exclude=("\x07\udcff",), path_rules=(rule,), policies=("a\nb",)))

    assert all(char.isprintable() for line in rendered.split("\n") for char in line)
    assert "<U+001B>[2J<U+202E>: fail-on low" in rendered
    assert "<U+0007><U+DCFF>" in rendered


@given(st.text(), st.integers(min_value=1, max_value=100))
def test_visible_text_is_printable_and_printable_text_stays(text: str, limit: int) -> None:
    assert printable(text, limit).isprintable()
    if text.isprintable() and len(text) <= limit:
        assert printable(text, limit) == text
