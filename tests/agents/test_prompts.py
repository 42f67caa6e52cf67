import json
from itertools import chain

import pytest

from reviewbot.agents.api.claude import transform
from reviewbot.agents.prompts import (
    Fence,
    build_security_prompt,
    build_test_fix_prompt,
    build_triage_prompt,
    draw_fence,
    foreign_texts,
    render_shared,
)
from reviewbot.agents.rules import CAUSES, CERTAINTY, SECURITY_RULES
from reviewbot.agents.spec import SPECS
from reviewbot.agents.view.excerpts import BYTES_PER_TOKEN
from reviewbot.agents.view.tool_forms import define
from reviewbot.core import ChangeSet
from tests.agents.view.test_excerpts import changed, hunk_of

FENCE = Fence("0123456789abcdef")
FILES = (changed("a.py", hunk_of("+one", "-two")), changed("b.py", hunk_of("+three")))
CHANGES = ChangeSet("1" * 40, "2" * 40, FILES)
SHARED = render_shared(FENCE, CHANGES, [("AGENTS.md", "We trust the proxy.")])


def prompts() -> dict[str, str]:
    built = {
        "triage": build_triage_prompt(SPECS["triage"], FENCE, FILES),
        "security": build_security_prompt(SPECS["security"], FENCE, SHARED, FILES, has_siblings=True),
        "test_fix": build_test_fix_prompt(SPECS["test_fix"], FENCE, SHARED, ("--- junit:1: t\n", 1), FILES),
    }
    return {
        name: "\n".join(block["text"] for block in (*prompt.system, *prompt.user))
        for name, prompt in built.items()
    }


def test_a_nonce_that_stands_in_the_text_is_drawn_again() -> None:
    draws = iter(["aaaa", "bbbb", "cccc"])
    assert draw_fence(["x </change-aaaa>", "bbbb"], lambda: next(draws)).nonce == "cccc"


def test_a_nonce_is_looked_for_in_every_text_a_prompt_may_hold() -> None:
    texts = list(foreign_texts(CHANGES, ["trace"]))
    assert {"a.py", "b.py", "+one", "-two", "+three", "trace"} <= set(texts)


def test_two_runs_have_different_nonces() -> None:
    assert draw_fence([]).nonce != draw_fence([]).nonce


@pytest.mark.parametrize("name", prompts())
def test_every_prompt_shows_the_change_between_its_tags_and_the_task_last(name: str) -> None:
    text = prompts()[name]
    inside = text.split(f"<change-{FENCE.nonce}>\n")[1].split(f"</change-{FENCE.nonce}>")[0]
    assert inside.startswith("=== a.py") and "+three" in inside
    assert text.rindex(FENCE.nonce) < len(text) - 20
    assert "{{" not in text and "{%" not in text


def test_the_closed_lists_stand_in_the_prompts() -> None:
    texts = prompts()
    for rule in SECURITY_RULES:
        assert (f"- {rule.id}: {rule.says}\n" in texts["security"]) is not rule.plain
    for cause in CAUSES:
        assert f"- {cause.id}: " in texts["test_fix"]


@pytest.mark.parametrize(("name", "most"), [("triage", 900), ("security", 3_300), ("test_fix", 2_800)])
def test_what_every_request_repeats_stays_small(name: str, most: int) -> None:
    spec = SPECS[name]
    system = prompts()[name].partition(f"<{'change' if name == 'triage' else 'notes'}-{FENCE.nonce}>")[0]
    fixed = [system, transform(spec.answer()), [define(tool) for tool in spec.tools]]
    assert sum(len(json.dumps(part, ensure_ascii=False)) for part in fixed) / BYTES_PER_TOKEN < most


def test_a_single_file_or_failure_is_not_counted() -> None:
    triage = build_triage_prompt(SPECS["triage"], FENCE, FILES[:1], again=True).user[-1]["text"]
    failure = build_test_fix_prompt(SPECS["test_fix"], FENCE, SHARED, ("x", 1), FILES).user[-1]["text"]
    assert triage.startswith("Give one entry for the file above; an earlier answer left it out.")
    assert failure.startswith("Explain the failure above by its id.")
    many = build_test_fix_prompt(SPECS["test_fix"], FENCE, SHARED, ("x", 7), FILES).user[-1]["text"]
    assert many.startswith("Explain the 7 failures above, each by its id in exactly one entry.")


def test_the_words_of_certainty_are_explained_where_they_are_used() -> None:
    for name in ("security", "test_fix"):
        for word, anchor in CERTAINTY.items():
            assert f"- {word}: {anchor.says}\n" in prompts()[name]


def test_notes_of_maintainers_reach_security_and_test_fix_as_data_and_are_cut() -> None:
    texts = prompts()
    for name in ("security", "test_fix"):
        inside = texts[name].split(f"<notes-{FENCE.nonce}>")[1].split(f"</notes-{FENCE.nonce}>")[0]
        assert "=== AGENTS.md\nWe trust the proxy." in inside
    assert "proxy" not in texts["triage"]
    long = render_shared(FENCE, CHANGES, [("AGENTS.md", "x" * 50_000)])
    assert len(long) < 10_000 and "more characters cut" in long


def test_no_prompt_asks_for_reasoning_or_shouts() -> None:
    for text in prompts().values():
        for word in (
            "step by step",
            "reasoning",
            "show your thinking",
            "MUST",
            "NEVER",
            "IMPORTANT",
            "CRITICAL",
        ):
            assert word not in text


def test_tasks_of_one_run_share_their_bytes_up_to_the_second_mark() -> None:
    one, other = (
        build_security_prompt(SPECS["security"], FENCE, SHARED, [part], has_siblings=True) for part in FILES
    )
    assert json.dumps([one.system, one.user[0]]) == json.dumps([other.system, other.user[0]])
    marks = [["cache_control" in block for block in chain(p.system, p.user)] for p in (one, other)]
    assert marks == [[True, True, True, False]] * 2
