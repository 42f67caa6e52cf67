from reviewbot.core import ChangeSet, Evidence, Severity
from reviewbot.evidence.collect import Collected
from reviewbot.evidence.held import held_secrets, hide_secrets, make_masker
from reviewbot.evidence.known_formats import find_known_formats
from reviewbot.request import Request
from reviewbot.secrets.masking import MASK, Masker

TOKEN = "ghp_" + "Zq8fWm2LxT9vKd4RbN7cYh5JpG3sEu6AoXi1"


def test_the_runs_own_secrets_come_from_the_request_and_the_environment() -> None:
    environment = {"ANTHROPIC_API_KEY": "sk-ant-1234", "GITHUB_TOKEN": "short", "PATH": "/usr/bin/env"}
    assert held_secrets(("state-key-1", ""), environment) == ("state-key-1", "sk-ant-1234")


def test_a_request_does_not_print_its_secrets() -> None:
    request = Request(secrets=("state-key-1",))
    assert "state-key-1" not in repr(request)
    masker = make_masker(request, ChangeSet("1" * 40, "2" * 40, ()), lambda sha: b"")
    assert masker.held == ("state-key-1",) and "state-key-1" not in repr(masker)


def test_known_formats_are_found_in_any_line_and_headers_of_keys_and_samples_are_not() -> None:
    assert list(find_known_formats(f"use {TOKEN} now")) == [(4, 4 + len(TOKEN))]
    for harmless in ("-----BEGIN PRIVATE KEY-----", "AKIAIOSFODNN7EXAMPLE", "a plain sentence", "x" * 5_000):
        assert list(find_known_formats(harmless)) == []


def test_what_cannot_be_searched_in_time_is_hidden_whole() -> None:
    item = Evidence("1", "sarif", "tool", "rule", Severity.LOW, f"a title with {TOKEN}", "a long message")
    collected = Collected((item,), (), {}, {}, {}, (), (), ())
    [found] = hide_secrets(collected, Masker(), seconds=-1).evidence
    assert (found.tool, found.title, found.message) == ("tool", MASK, MASK)


def test_what_our_own_analyzers_say_is_left_as_it_is() -> None:
    item = Evidence("1", "analyzer", "ruff", "S602", Severity.LOW, f"a title with {TOKEN}")
    collected = Collected((item,), (), {}, {}, {}, (), (), ())
    assert hide_secrets(collected, Masker()) is collected
