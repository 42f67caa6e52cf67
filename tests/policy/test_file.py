import json
import warnings
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from reviewbot.core import Severity
from reviewbot.errors import PolicyError
from reviewbot.policy.cascade import resolve_settings
from reviewbot.policy.config_text import render_config
from reviewbot.policy.file import parse_policy
from reviewbot.policy.model import policy_json_schema
from reviewbot.settings import ModelPrice, PathRule, Policy, Settings

WHERE = ".github/reviewbot.yml at 1a2b3c4d"
SCHEMA = policy_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def parse(text: str) -> Policy:
    return parse_policy(text.encode("utf-8", "surrogatepass"), WHERE)


def refusal(text: str | bytes, where: str = "policy.yml") -> str:
    """The error for ``text``, of which every refusal must be one printable line."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text if isinstance(text, bytes) else text.encode(), where)
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith((".", "?"))
    assert len(message) < 1000
    return message


FULL = """\
# what we hold ourselves to
engine: analyzers
fail-on: medium
minimum-confidence: 1
fail-on-tests: true
on-incomplete: fail
budget-usd: 1.5
analyzers:
  - ruff
  - detect-secrets
exclude:
  - vendor/
  - "!vendor/ours/**"
paths:
  src/**:
    fail-on: low
  "*.tf": {minimum-confidence: 0.25}
"""


def test_every_key_is_read_with_its_line_and_commit() -> None:
    policy = parse(FULL)

    def at(line: int) -> str:
        return f".github/reviewbot.yml:{line} at 1a2b3c4d"

    assert policy.where == WHERE
    assert policy.values == {
        "engine": ("analyzers", at(2)),
        "fail_on": (Severity.MEDIUM, at(3)),
        "minimum_confidence": (1.0, at(4)),
        "fail_on_tests": (True, at(5)),
        "on_incomplete": ("fail", at(6)),
        "budget_usd": (1.5, at(7)),
        "analyzers": (("ruff", "detect-secrets"), at(8)),
    }
    assert policy.exclude == (("vendor/", at(12)), ("!vendor/ours/**", at(13)))
    assert policy.path_rules == (
        (PathRule("src/**", Severity.LOW, None), at(15)),
        (PathRule("*.tf", None, 0.25), at(17)),
    )


def test_underscores_are_a_synonym_in_keys_and_never_in_patterns() -> None:
    underscored = FULL.replace("-on-tests", "_on_tests").replace("fail-on", "fail_on").replace("-usd", "_usd")
    policy = parse(underscored.replace("minimum-", "minimum_").replace("on-in", "on_in"))

    assert policy == parse(FULL)
    patterns = parse("paths: {a_b: {fail_on: low}, a-b: {fail-on: low}}").path_rules
    assert [rule.pattern for rule, _ in patterns] == ["a_b", "a-b"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "{}", "\ufeff", "---\n...\n"])
def test_an_empty_file_is_an_empty_policy(text: str) -> None:
    assert parse(text) == Policy(where=WHERE)


def test_a_mark_of_byte_order_and_windows_line_ends_are_taken() -> None:
    policy = parse("\ufefffail-on: low\r\nengine: claude\r\n")

    assert policy.values["engine"] == ("claude", ".github/reviewbot.yml:2 at 1a2b3c4d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nfail-onn: low", "policy.yml:1:1: `a` is no key of the policy; allowed are engine, fail-on"),
        ("\n\nfail-onn: low", "policy.yml:3:1: `fail-onn` is no key of the policy; did you mean `fail-on`?"),
        ("Fail_Onn: low", "policy.yml:1:1: `Fail_Onn` is no key of the policy; did you mean `fail-on`?"),
        (
            "paths:\n  a:\n    fail: low",
            "policy.yml:3:5: `fail` is no key of a path rule; did you mean `fail-on`?",
        ),
        ("x: 1\nfail-on: no\nz: 1", "engine, fail-on, minimum-confidence, fail-on-tests, on-incomplete"),
        ("x: 1\nfail-on: no\nz: 1", "(2 more to correct)."),
        (
            "\nfail-on: banana",
            'policy.yml:2:1: `fail-on` is "banana" but must be one of critical, high, medium,',
        ),
        ("fail-on: HIGH", '`fail-on` is "HIGH" but must be one of'),
        ("fail-on:\n  - low", 'policy.yml:1:1: `fail-on` is ["low"] but must be one of critical'),
        ("engine: gpt", '`engine` is "gpt" but must be one of auto, claude, analyzers.'),
        ("on-incomplete: pass", "must be one of fail, neutral."),
        ("fail-on-tests: maybe", '`fail-on-tests` is "maybe" but must be true or false.'),
        ("fail-on-tests: yes", '`fail-on-tests` is "yes" but must be true or false.'),
        ("fail-on-tests: 1", "`fail-on-tests` is 1 but must be true or false."),
        ("budget-usd: -1", "`budget-usd` is -1 but must be a number of dollars from 0 to 1000000."),
        ("budget-usd: 1000001", "`budget-usd` is 1000001 but"),
        ("budget-usd: .nan", "`budget-usd` is NaN but"),
        ("budget-usd: .inf", "`budget-usd` is Infinity but"),
        ("budget-usd: -.inf", "`budget-usd` is -Infinity but"),
        ("budget-usd: " + "9" * 6000, "`budget-usd` is Infinity but"),
        ("budget-usd: '2'", '`budget-usd` is "2" but'),
        ("budget-usd: 1:30", '`budget-usd` is "1:30" but'),
        ("minimum-confidence: 1.01", "`minimum-confidence` is 1.01 but must be a number from 0 to 1."),
        ("minimum-confidence: true", "`minimum-confidence` is true but"),
        (
            "analyzers: ruff",
            '`analyzers` is "ruff" but must be a list of ruff, zizmor, hadolint, detect-secrets',
        ),
        (
            "analyzers:\n- ruff\n- bandit",
            'policy.yml:3:3: `analyzers` holds "bandit" but must be a list of ruff',
        ),
        ("skip-authors: [a b]", '`skip-authors` holds "a b" but must be a list of logins'),
        ("skip-authors: [mona, mona]", '`skip-authors` is ["mona", "mona"] but must be a list of logins'),
        ("analyzers: [ruff, ruff]", '`analyzers` is ["ruff", "ruff"] but must be a list of'),
        ("exclude: vendor/", '`exclude` is "vendor/" but must be a list of gitignore-style patterns.'),
        (
            "exclude:\n- a\n- ../b",
            'policy.yml:3:3: `exclude` holds "../b", which must be a gitignore-style pattern',
        ),
        ("exclude: [1]", "`exclude` holds 1, which must be a gitignore-style pattern"),
        ("prices: [a]", '`prices` is ["a"] but must be a mapping from ids of models to'),
        ("prices: {m: 3}", '"m" in `prices` is 3 but must be a mapping with `input` and `output`'),
        (
            "prices:\n  m:\n    input: 1",
            'policy.yml:2:3: "m" in `prices` has no `output`; give the dollars for',
        ),
        ("prices: {'a b': {input: 1, output: 2}}", '`prices` names "a b", which must be the id of a model'),
        ("prices: {m: {input: -1, output: 2}}", "`input` is -1 but must be the dollars for a million tokens"),
        (
            "prices:\n  m: {input: 1, output: 2,\n    cached: 3}",
            "policy.yml:3:5: `cached` is no key of a price; did you mean `cache-read`?",
        ),
        ("prices: {m: {input: 1, output: 1, cache_read: 1, cache-read: 1}}", "`cache-read` is given twice"),
        ("paths: [a]", '`paths` is ["a"] but must be a mapping from'),
        (
            "paths:\n  a: low",
            'policy.yml:2:3: "a" in `paths` is "low" but must be a mapping with one or both of',
        ),
        ("paths: {a: {}}", '"a" in `paths` is {} but must be a mapping with one or both of'),
        ("paths:\n  '!a': {fail-on: low}", 'policy.yml:2:3: `paths` names "!a", which must be'),
        (
            "paths:\n a:\n  fail-on: low\n  minimum-confidence: 2",
            "policy.yml:4:3: `minimum-confidence` is 2 but",
        ),
        ("fail-on:\n", "policy.yml:1:9: `fail-on` has no value; give it one or remove it."),
        ("exclude:\n- a\n- ~", "policy.yml:3:3: this entry has no value"),
        ("text", 'the policy is "text" but must be a mapping of keys.'),
        ("[]", "the policy is [] but must be a mapping of keys."),
        ("''", 'the policy is "" but must be a mapping of keys.'),
        ("null", "policy.yml:1:1: this entry has no value"),
        ('"\\e[2J\\u202e": 1', "`<U+001B>[2J<U+202E>` is no key of the policy"),
        (f"{'k' * 1000}: 1", "\u2026` is no key of the policy"),
    ],
)
def test_what_is_no_policy_is_refused_with_line_key_and_what_is_allowed(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "fail-on: low\n\nfail-on: high",
            "policy.yml:3:1: `fail-on` is given twice, first in line 1; keep one.",
        ),
        (
            "fail-on: low\nfail_on: low",
            "policy.yml:2:1: `fail_on` is given twice, first in line 1; keep one.",
        ),
        (
            "paths:\n  a: {fail-on: low}\n  a: {fail-on: info}",
            "policy.yml:3:3: `a` is given twice, first in line 2",
        ),
        ("paths: {a: {fail_on: low, fail-on: info}}", "`fail-on` is given twice"),
        ("a: &x low\nfail-on: *x", "policy.yml:1:4: this is not the YAML of a policy: an anchor or alias"),
        ("fail-on: *x", "an anchor or alias"),
        ("exclude:\n- *.lock", "policy.yml:2:4: this is not the YAML of a policy: an anchor or alias"),
        ("exclude:\n- *.lock", "quote text that begins with & or *."),
        ("a: &a [x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]", "an anchor or alias"),
        ("fail-on: !!python/object/apply:os.system [id]", "a tag (!) may not stand in a policy"),
        ("fail-on: !!str low", "a tag (!) may not stand in a policy"),
        ("!x {}", "a tag (!) may not stand in a policy"),
        ("exclude:\n- !x", "policy.yml:2:3: this is not the YAML of a policy: a tag (!)"),
        (
            "fail-on: low\n---\nfail-on: info",
            "policy.yml:2:1: this is not the YAML of a policy: `---` begins a second document; keep one.",
        ),
        ("<<: {fail-on: low}", "`<<` is no key of the policy"),
        ("? [a]\n: 1", "policy.yml:1:3: a key is a list or mapping but must be text."),
        (
            "fail-on: low\n\tengine: auto",
            "policy.yml:2:1: this is not the YAML of a policy: a tab stands where",
        ),
        ("exclude:\n  - a\n\t- b", "policy.yml:3:1: this is not the YAML of a policy: a tab stands where"),
        (
            'fail-on: low\nengine: "auto\nx: 1\n',
            "policy.yml:2:9: this is not the YAML of a policy: a quotation mark",
        ),
        ("exclude: [a]b", "policy.yml:1:13: this is not the YAML of a policy: the line does not fit"),
        ("skip-authors: [renovate[bot]]", "policy.yml:1:24: this is not the YAML of a policy: a list in [ ]"),
        (
            "fail-on: low\n\nexclude: [a\n",
            "policy.yml:3:10: this is not the YAML of a policy: a list in [ ]",
        ),
        ("exclude:\n  - a\n - b", "policy.yml:3:2: this is not the YAML of a policy: the line does not fit"),
        ("fail-on: low\nengine\n", "policy.yml:2:1: this is not the YAML of a policy: the line does not fit"),
        (
            "fail-on: low\n  engine: auto",
            "policy.yml:2:9: this is not the YAML of a policy: a colon too many",
        ),
        ("[" * 21 + "]" * 21, "values are nested more than 20 deep."),
        ("- " * 21, "values are nested more than 20 deep."),
        ("? " * 21, "values are nested more than 20 deep."),
        ("[" * 100_000, "values are nested more than 20 deep."),
        ('fail-on: low\nengine: "\\UFFFFFFFF"', "policy.yml:2:12: an escape or directive is out of range."),
        ("%YAML 1." + "9" * 5000 + "\n---\n{}", "an escape or directive is out of range."),
        ('engine: "\\ud800"', "an escape stands for half a character"),
        ('"\\udcff": 1', "an escape stands for half a character"),
        ("\nfail-on: \x00", "policy.yml:2:10: U+0000 may not stand in YAML; write it as an escape."),
        ("\n\x1b[2J", "policy.yml:2:1: U+001B may not stand in YAML"),
        (b"fail-on: low\n# caf\xe9", "policy.yml:2:6: the file is not UTF-8 text; save it as UTF-8."),
        ("fail-on: low".encode("utf-16"), "policy.yml:1:1: the file is not UTF-8 text"),
        (b"#" * (256 * 1024 + 1), "the file has 262145 bytes but may have 262144 at most."),
    ],
)
def test_yaml_that_is_more_than_a_policy_needs_is_refused(text: str | bytes, message: str) -> None:
    assert message in refusal(text)


def test_the_largest_file_is_read() -> None:
    assert parse("#" * (256 * 1024)).values == {}


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_lines_are_counted_by_line_feeds_whatever_yaml_counts(mark: str) -> None:
    policy = parse(f"# one {mark}# still one\nfail-on: low\nexclude:\n- 'a'\n# {mark}\n- b\n")

    assert policy.values["fail_on"][1] == ".github/reviewbot.yml:2 at 1a2b3c4d"
    assert [origin for _, origin in policy.exclude] == [
        f".github/reviewbot.yml:{n} at 1a2b3c4d" for n in (4, 6)
    ]
    assert refusal(f"# {mark}\n# {mark}\nfail-onn: low").startswith("policy.yml:3:1: `fail-onn`")
    assert refusal(f"# {mark}\n# {mark}\n\tx").startswith("policy.yml:3:1: this is not the YAML")
    assert refusal(f"# {mark}\n# {mark}\n\x00").startswith("policy.yml:3:1: U+0000")


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029", "\r"])
def test_a_key_cannot_hide_behind_a_line_break_that_editors_do_not_show(mark: str) -> None:
    message = refusal(f"fail-on: low\n# a comment{mark}engine: analyzers\n")

    assert message.startswith("policy.yml:2:21: text stands behind a line break that is no line feed")


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("my at file.yml", "my at file.yml:1:1: "),
        ("p.yml at 1a2b3c4d", "p.yml:1:1 at 1a2b3c4d: "),
        ("p.yml at " + "a" * 64, "p.yml:1:1 at " + "a" * 64 + ": "),
        ("p\n\x1b.yml", "p<U+000A><U+001B>.yml:1:1: "),
        ("caf\udce9.yml", "caf<U+DCE9>.yml:1:1: "),
    ],
)
def test_the_place_names_file_line_and_commit_in_this_order(where: str, place: str) -> None:
    assert refusal("a: 1", where).startswith(place)


HOSTILE = {
    "many items": "exclude: [" + "'a'," * 60_000 + "]",
    "many keys": "\n".join(f"'k{n}': 1" for n in range(20_000)),
    "many blanks": "a:" + " " * 250_000,
    "a long line": "a: " + "x " * 120_000,
    "keys that never end": "'a' :" * 50_000,
    "a long pattern": f"exclude: ['{'a ' * 110_000}']",
    "open brackets": f"exclude: ['{'[a' * 110_000}']",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_file_of_the_largest_size_is_a_policy_or_refused_in_one_short_line(text: str) -> None:
    assert 200_000 < len(text) <= 256 * 1024
    if text.startswith("exclude: ['a'"):
        assert len(parse(text).exclude) == 60_000
    else:
        refusal(text)


def outcome(data: bytes) -> Policy | None:
    try:
        return parse_policy(data, "policy.yml")
    except PolicyError as error:
        assert str(error).isprintable()
        return None


@given(st.binary())
def test_bytes_are_a_policy_or_a_policy_error(data: bytes) -> None:
    outcome(data)


PIECES = [
    *(f"{key}: " for key in SCHEMA["properties"]),
    *("fail_on: ", "low", "true", "0.5", "[ruff]", "- ", "  ", "\n", "\n  ", ": ", ", ", "{", "}", "[", "]"),
    *("&a ", "*a", "!!int ", "? ", "| ", "> ", "---\n", "...\n", "%TAG ! x\n", "'", '"', "\\U", "\\x", "#"),
    *("\t", "\r", "\x85", "\u2028", "\ufeff", "\x00", "\udcff", "<<", "~", ".nan", "9" * 20, "**/a", "!a"),
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_text_that_looks_like_a_policy_is_one_or_a_policy_error(text: str) -> None:
    outcome(text.encode("utf-8", "surrogatepass"))


# JSON text is YAML, but for what PyYAML reads by the rules of 1.1: it is written here in the part both share.
def as_yaml(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=False)
    shared = (char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)
    return "".join(shared).encode()


def accepted(document: object) -> bool:
    return outcome(as_yaml(document)) is not None


def valid(document: Any) -> bool:
    return bool(VALIDATOR.is_valid(document))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
pattern_texts = st.text(" !#*/.[]\\-^abz09?\t\n\u00a0é", max_size=8) | st.sampled_from(
    ["src/**", "*.py", "/a", "!b", "a" * 256, "a" * 257, "[a-z]", "a\\", "a\\ b", "a/../b", "a\n", "..."]
)
numbers = st.sampled_from([0, 1, -1, 0.5, 1.0, 1.5, 2, -0.0, 10**6, 10**6 + 1, 10**18, 10**400]) | st.floats(
    allow_nan=False, allow_infinity=False
)
junk: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | words | numbers | st.lists(words, max_size=2) | st.just({})
)
severities = st.sampled_from(list(map(str, Severity)))
names = ["ruff", "zizmor", "hadolint", "detect-secrets"]
path_rule = st.fixed_dictionaries(
    {}, optional={"fail-on": severities | junk, "minimum-confidence": numbers | junk}
)
price = st.fixed_dictionaries(
    {"input": numbers}, optional={"output": numbers | junk, "cache-read": numbers, "cache-write-1h": numbers}
)
good: dict[str, st.SearchStrategy[Any]] = {
    "engine": st.sampled_from(["auto", "claude", "analyzers"]),
    "fail-on": severities,
    "minimum-confidence": numbers,
    "fail-on-tests": st.booleans(),
    "on-incomplete": st.sampled_from(["fail", "neutral"]),
    "budget-usd": numbers,
    "prices": st.dictionaries(st.sampled_from(["m", "claude-opus-5-5", "a b", ""]), price, max_size=2),
    "analyzers": st.lists(st.sampled_from([*names, "bandit"]), max_size=3),
    "skip-authors": st.lists(st.sampled_from(["mona", "renovate[bot]", "a b", "x[bot]y", ""]), max_size=3),
    "exclude": st.lists(pattern_texts, max_size=3),
    "paths": st.dictionaries(pattern_texts, path_rule, max_size=2),
}
mixed = st.fixed_dictionaries({}, optional={key: value | junk for key, value in good.items()} | {"x": junk})
documents = st.fixed_dictionaries({}, optional=good) | mixed | junk


@settings(max_examples=600)
@given(documents)
def test_the_schema_accepts_exactly_what_the_parser_accepts(document: object) -> None:
    if document is not None:  # an editor shows an empty file as null; we take the file and refuse the word
        assert accepted(document) == valid(document)


@settings(max_examples=300)
@given(st.sampled_from(sorted(good)).flatmap(lambda key: st.tuples(st.just(key), good[key] | junk)))
def test_the_schema_and_the_parser_agree_on_each_key_alone(entry: tuple[str, object]) -> None:
    assert accepted({entry[0]: entry[1]}) == valid({entry[0]: entry[1]})


@settings(max_examples=600)
@given(pattern_texts)
def test_every_pattern_that_is_taken_compiles_and_can_select_something(pattern: str) -> None:
    if not accepted({"exclude": [pattern]}):
        return
    with warnings.catch_warnings(action="error"):
        [compiled] = GitIgnoreSpec.from_lines([pattern], backend="simple").patterns

    assert compiled.include is not None


@pytest.mark.parametrize(("length", "taken"), [(256, True), (257, False)])
def test_a_pattern_has_up_to_256_characters(length: int, taken: bool) -> None:
    document = {"exclude": ["a" * length], "paths": {"b" * length: {"fail-on": "low"}}}

    assert (accepted(document), valid(document)) == (taken, taken)


def test_the_agreement_is_tested_on_both_sides() -> None:
    assert accepted({"paths": {"src/**": {"fail-on": "low"}}, "exclude": ["*.py", "!a b", "\\#x", "[!a-z]/"]})
    assert not valid({"paths": {"src/**": {}}})
    assert not valid({"exclude": ["a\n"]})
    assert not accepted({"exclude": ["a\n"]})


@pytest.mark.parametrize(
    "pattern", ["#a", "", " ", "a ", " a", "/", "!", "!/", "//", "a//b", "./a", "a/..", "!!a"]
)
def test_a_pattern_that_selects_nothing_is_refused(pattern: str) -> None:
    assert not accepted({"exclude": [pattern]})
    assert not accepted({"paths": {pattern: {"fail-on": "low"}}})


@pytest.mark.parametrize(
    "pattern", ["a\\", "a\\/b", "[z-a]", "[[:alpha:]]", "[a&&b]", "[a", "[]", "a\x7f", "a\u2028b"]
)
def test_a_pattern_that_would_not_compile_as_written_is_refused(pattern: str) -> None:
    assert not accepted({"exclude": [pattern]})


def test_the_schema_is_one_and_names_no_machine() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == "urn:reviewbot:policy"
    assert SCHEMA["title"] == "reviewbot policy"
    json.dumps(SCHEMA)


CAPS = {"budget-usd-per-pull-request", "budget-usd-per-month", "fallback-models"}
"""Keys that hold only where they are given."""


def test_the_schema_describes_each_key_and_its_default_is_the_built_in_one() -> None:
    built_in = Settings()
    for key, property_schema in SCHEMA["properties"].items():
        assert property_schema["description"].endswith("."), key
        assert "default" in property_schema["description"], key
        if key not in {"paths", "prices", *CAPS}:
            default = property_schema["default"]
            value = getattr(built_in, key.replace("-", "_"))
            assert value == (tuple(default) if isinstance(default, list) else default), key
    for rule_key in SCHEMA["$defs"]["PathEntry"]["properties"].values():
        assert rule_key["description"].endswith(".")


def test_the_defaults_written_out_are_the_built_in_settings() -> None:
    defaults = {key: value["default"] for key, value in SCHEMA["properties"].items() if key not in CAPS}
    resolved = resolve_settings([parse_policy(as_yaml(defaults), "p.yml")], {})

    assert all(
        getattr(resolved, name) == getattr(Settings(), name) for name in ("engine", "fail_on", "analyzers")
    )
    assert (resolved.budget_usd, resolved.minimum_confidence, resolved.exclude) == (2.0, 0.5, ())


def test_prices_of_the_policy_are_dollars_a_million_tokens_and_derive_what_they_leave_out() -> None:
    text = "prices:\n  ours/big:\n    input: 4\n    output: 20\n  m: {input: 1, output: 2, cache-read: 0.1,\n"
    found = resolve_settings(
        [parse_policy(f"{text}    cache_write: 1.5, cache-write-1h: 3}}".encode(), "p.yml")], {}
    )
    assert found.prices == (
        ModelPrice("ours/big", 4, 20, 4, 5, 8),
        ModelPrice("m", 1, 2, 0.1, 1.5, 3),
    )
    assert found.origins["prices"] == "p.yml:1"
    assert "ours/big: 4 in, 20 out, cache 4 read, 5 and 8 written" in render_config(found)
