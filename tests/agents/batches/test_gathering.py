"""Asks in batches, over a socket: rounds, faults, and runs that pick up what earlier ones left."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from reviewbot.agents.api.claude import Ask, ModelError, Reply, connect
from reviewbot.agents.batches import round as batch_round
from reviewbot.agents.batches import wait as batch_wait
from reviewbot.agents.batches.gathering import Batches
from reviewbot.agents.batches.ledger import BatchLedger
from reviewbot.agents.prompts import draw_fence
from reviewbot.journal import Journal
from reviewbot.state_file import StateError
from reviewbot.testing import ScriptedModel, Turn
from reviewbot.testing import batches as played

MODEL = "claude-opus-5-5"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_round, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(batch_wait, "FIRST_SECONDS", 0.02)


def echo(body: Any) -> Turn:
    return Turn(f"you said {body['messages'][-1]['content'][0]['text']}", "hm")


def ask_for(text: str) -> Ask:
    block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [block]}]
    return Ask(MODEL, 1_000, (), (), messages, "medium", None, 60.0)


class Desk:
    """Runs of reviewbot against one model, with one folder for what they leave."""

    def __init__(self, model: ScriptedModel, folder: Path | None) -> None:
        self.model, self.folder = model, folder
        self.shown: list[str] = []
        self.journal = Journal()
        self.notes: tuple[str, ...] = ()

    def ask(self, *texts: str, wait: float = 5.0) -> list[str | ModelError]:
        """What a run that asks for these side by side is told."""
        return self.run(lambda batches: [batches.ask(ask_for(text)) for text in texts], len(texts), wait=wait)

    def run(self, asks: Callable[[Batches], list[Any]], running: int, *, wait: float = 5.0) -> list[Any]:
        async def once(ledger: BatchLedger) -> list[Any]:
            claude = connect({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": self.model.base_url})
            batches = Batches(claude, ledger, wait, self.step, self.journal)
            left = [running]
            batches.attend(lambda: left[0])

            async def count(ask: Any) -> Any:
                try:
                    return await ask
                finally:
                    left[0] -= 1

            try:
                found = await asyncio.gather(*map(count, asks(batches)), return_exceptions=True)
                self.notes = batches.notes()
                return [each.text if isinstance(each, Reply) else each for each in found]
            finally:
                await batches.aclose()

        with BatchLedger(self.folder, "acme/shop") as ledger:
            return asyncio.run(once(ledger))

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        self.shown.append(words)
        yield

    def clear(self) -> None:
        with BatchLedger(self.folder, "acme/shop") as ledger:
            ledger.clear()


def said(*texts: str) -> list[str]:
    return [f"you said {text}" for text in texts]


def codes(found: list[Any]) -> list[str]:
    return [each.code if isinstance(each, ModelError) else str(each) for each in found]


def created(model: ScriptedModel) -> int:
    return len(model.batches.list({"limit": "1000"})["data"])


def test_what_all_tasks_ask_goes_into_one_batch_at_half_the_price(tmp_path: Path) -> None:
    with ScriptedModel(echo) as model:
        desk = Desk(model, tmp_path)
        assert desk.ask("a", "b", "c") == said("a", "b", "c")
        assert created(model) == 1
        assert {served.batch for served in model.requests} == {"msgbatch_000001"}
    assert model.refused == []
    assert all("cache_control" not in served.raw.decode() for served in model.requests)
    assert desk.notes == ("The agents were asked in batches, 1 round of them, at half the list price.",)


def test_a_reply_is_priced_as_of_a_batch(tmp_path: Path) -> None:
    with ScriptedModel(echo) as model:
        replies: list[Reply] = []

        async def keep(batches: Batches) -> None:
            replies.append(await batches.ask(ask_for("a")))

        Desk(model, tmp_path).run(lambda batches: [keep(batches)], 1)
    assert replies[0].terms.batch


def test_a_task_that_goes_on_asks_in_the_next_round_with_all_others(tmp_path: Path) -> None:
    async def twice(batches: Batches, text: str) -> Any:
        await batches.ask(ask_for(text))
        await asyncio.to_thread(lambda: None)
        return await batches.ask(ask_for(f"{text} again"))

    with ScriptedModel(echo) as model:
        desk = Desk(model, tmp_path)
        found = desk.run(lambda batches: [twice(batches, "a"), twice(batches, "b")], 2)
        assert found == said("a again", "b again")
        assert created(model) == 2


def test_equal_requests_are_told_apart(tmp_path: Path) -> None:
    with ScriptedModel(echo) as model:
        assert Desk(model, tmp_path).ask("a", "a") == said("a", "a")
        assert len(model.requests) == 2
        assert Desk(model, tmp_path).ask("a", "a") == said("a", "a")
        assert len(model.requests) == 2


def test_the_same_asks_in_the_next_run_cost_nothing_and_the_notes_say_so(tmp_path: Path) -> None:
    with ScriptedModel(echo) as model:
        desk = Desk(model, tmp_path)
        desk.ask("a", "b")
        assert desk.ask("a", "b") == said("a", "b")
        assert created(model) == 1
        assert desk.notes[1].startswith("2 answers of them had been collected or paid before: $")
        desk.clear()
        desk.ask("a", "b")
        assert created(model) == 2


def test_a_run_that_does_not_wait_leaves_its_batch_to_the_next_one(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_seconds=0.5) as model:
        desk = Desk(model, tmp_path)
        found = desk.ask("a", "b", wait=0.05)
        assert codes(found) == ["batch_pending"] * 2
        assert "the next run with the same --state picks it up" in str(found[0])
        assert desk.ask("a", "b") == said("a", "b")
        assert created(model) == 1
    assert "cancel" not in model.batch_requests


def test_with_no_time_to_wait_the_batch_is_created_all_the_same(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_seconds=0.2) as model:
        desk = Desk(model, tmp_path)
        assert codes(desk.ask("a", wait=0)) == ["batch_pending"]
        assert created(model) == 1
        assert desk.ask("a") == said("a")


def test_without_a_folder_a_batch_that_nobody_can_pick_up_is_cancelled() -> None:
    with ScriptedModel(echo, batch_seconds=60) as model:
        found = Desk(model, None).ask("a", wait=0.05)
        assert codes(found) == ["batch_pending"]
        assert "it is cancelled" in str(found[0])
        assert model.batch_requests[-1] == "cancel"
        assert model.usd == 0


def test_without_a_folder_a_run_still_gets_its_answers() -> None:
    with ScriptedModel(echo, batch_seconds=0.1) as model:
        assert Desk(model, None).ask("a", "b") == said("a", "b")
    assert "cancel" not in model.batch_requests


def test_the_wait_is_shown(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_seconds=0.1) as model:
        desk = Desk(model, tmp_path)
        desk.ask("a", "b", wait=120)
    assert desk.shown[0] == "waiting for 2 answers of round 1 in a batch (0 of 2 minutes)"


# A creation whose answer is lost.


def test_a_batch_whose_creation_was_not_answered_is_found_and_not_paid_twice(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"create": ["reset"]}) as model:
        assert Desk(model, tmp_path).ask("a", "b") == said("a", "b")
        assert created(model) == 1


def test_an_answer_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"create": ["html"]}) as model:
        assert Desk(model, tmp_path).ask("a") == said("a")
        assert created(model) == 1


@pytest.mark.parametrize("fault", ["overloaded", "server_error", "rate_limit"])
def test_a_creation_that_failed_is_tried_again(tmp_path: Path, fault: str) -> None:
    with ScriptedModel(echo, batch_faults={"create": [fault]}) as model:
        assert Desk(model, tmp_path).ask("a") == said("a")
        assert created(model) == 1


def test_a_batch_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"create": ["overloaded"]}) as model:
        foreign = {
            "custom_id": "x",
            "params": {
                "model": MODEL,
                "max_tokens": 9,
                "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
            },
        }
        model.batches.create({"requests": [foreign]})
        assert Desk(model, tmp_path).ask("a") == said("a")
        assert created(model) == 2


def test_where_nobody_can_tell_whether_it_was_created_the_next_run_looks_again(tmp_path: Path) -> None:
    faults = {"create": ["reset"], "list": ["server_error"] * 3}
    with ScriptedModel(echo, batch_faults=faults) as model:
        desk = Desk(model, tmp_path)
        assert codes(desk.ask("a")) == ["provider_outage"]
        assert desk.ask("a") == said("a")
        assert created(model) == 1


def test_a_provider_that_is_down_is_an_outage_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"create": ["overloaded"] * 3}) as model:
        desk = Desk(model, tmp_path)
        assert codes(desk.ask("a")) == ["provider_outage"]
        assert desk.ask("a") == said("a")
        assert created(model) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [("unauthorized", "bad_credentials"), ("spend_limit", "spend_limit"), ("unknown_model", "no_batches")],
)
def test_a_refused_creation_is_told_and_not_tried_again(tmp_path: Path, fault: str, code: str) -> None:
    with ScriptedModel(echo, batch_faults={"create": [fault]}) as model:
        assert codes(Desk(model, tmp_path).ask("a")) == [code]
        assert model.batch_requests == ["create"]
        assert Desk(model, tmp_path).ask("a") == said("a")


# While waiting and collecting.


def test_a_provider_that_cannot_be_looked_at_for_a_while_is_waited_for(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"retrieve": ["overloaded"] * 4}) as model:
        assert Desk(model, tmp_path).ask("a") == said("a")
        assert created(model) == 1


@pytest.mark.parametrize("fault", ["reset", "early_end", "broken_json", "empty", "server_error", "html"])
def test_results_that_come_broken_are_fetched_again_for_nothing(tmp_path: Path, fault: str) -> None:
    with ScriptedModel(echo, batch_faults={"results": [fault]}) as model:
        assert Desk(model, tmp_path).ask("a", "b") == said("a", "b")
        assert created(model) == 1


def test_results_that_never_come_are_left_to_the_next_run(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"results": ["reset"] * 9}) as model:
        desk = Desk(model, tmp_path)
        assert codes(desk.ask("a")) == ["provider_outage"]
        assert desk.ask("a") == said("a")
        assert created(model) == 1


def test_a_line_that_stays_missing_is_no_answer(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"results": ["early_end"] * 3}) as model:
        found = Desk(model, tmp_path).ask("a", "b")
    (lost,) = (each for each in found if isinstance(each, ModelError))
    assert (lost.code, lost.usage) == ("invalid_answer", None)


def test_a_batch_that_is_gone_is_asked_anew(tmp_path: Path) -> None:
    with ScriptedModel(echo, batch_faults={"retrieve": ["unknown_model"]}) as model:
        assert Desk(model, tmp_path).ask("a") == said("a")
        assert created(model) == 2


# Items without an answer.


@pytest.mark.parametrize("fault", ["expired", "canceled", "overloaded", "server_error", "rate_limit"])
def test_an_item_that_was_not_answered_is_asked_once_more_and_alone(tmp_path: Path, fault: str) -> None:
    with ScriptedModel(echo, faults={1: fault}) as model:
        assert Desk(model, tmp_path).ask("a", "b") == said("a", "b")
        assert [served.batch[-1] for served in model.requests] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [("expired", "expired in its batch"), ("canceled", "cancelled"), ("overloaded", "529")],
)
def test_an_item_that_fails_twice_is_reported_and_the_others_are_not_lost(
    tmp_path: Path, fault: str, words: str
) -> None:
    def is_first(body: Any) -> bool:
        return "first" in str(body["messages"])

    with ScriptedModel(echo, faults={is_first: fault}) as model:
        lost, found = Desk(model, tmp_path).ask("first", "b")
        assert found == "you said b"
        assert isinstance(lost, ModelError)
        assert (lost.code, created(model)) == ("provider_outage", 2)
        assert words in lost.detail


def test_an_item_that_the_provider_refuses_is_not_asked_again(tmp_path: Path) -> None:
    with ScriptedModel(echo, faults={1: "context"}) as model:
        assert codes(Desk(model, tmp_path).ask("a")) == ["context"]
        assert created(model) == 1


def test_an_answer_without_usage_is_of_unknown_cost(tmp_path: Path) -> None:
    with ScriptedModel(echo, faults={1: "no_usage"}) as model:
        (lost,) = Desk(model, tmp_path).ask("a")
        assert isinstance(lost, ModelError)
        assert (lost.code, lost.usage) == ("invalid_answer", None)


def test_a_whole_batch_that_expires_is_asked_anew_once(tmp_path: Path) -> None:
    now = [0.0]
    with ScriptedModel(echo, batch_seconds=2 * played.LIFETIME_SECONDS, clock=lambda: now[0]) as model:
        desk = Desk(model, tmp_path)
        assert codes(desk.ask("a", wait=0.05)) == ["batch_pending"]
        now[0] = played.LIFETIME_SECONDS + 1
        assert codes(desk.ask("a", wait=0.05)) == ["batch_pending"]
        assert created(model) == 2


# Sizes, and who else is there.


def test_many_requests_are_cut_into_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_round, "BATCH_REQUESTS", 2)
    with ScriptedModel(echo) as model:
        assert Desk(model, tmp_path).ask(*"abcde") == said(*"abcde")
        assert created(model) == 3


def test_large_requests_are_cut_into_several_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_round, "BATCH_BYTES", 2_600)
    texts = ["x" * 2_000, "y" * 2_000, "z" * 2_500, "a"]
    with ScriptedModel(echo) as model:
        assert Desk(model, tmp_path).ask(*texts) == said(*texts)
        assert created(model) == 4


def test_two_runs_with_one_state_do_not_pay_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviewbot.state_file.LOCK_SECONDS", 0.05)
    with (
        BatchLedger(tmp_path, "acme/shop"),
        pytest.raises(StateError, match="in use by another run") as error,
    ):
        BatchLedger(tmp_path, "acme/shop")
    assert "remove" not in error.value.sentences


def test_a_fault_of_ours_ends_every_task_and_not_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(BatchLedger, "close_batch", fail)
    with ScriptedModel(echo) as model:
        found: list[object] = [*Desk(model, tmp_path).ask("a", "b")]
    assert all(isinstance(each, ZeroDivisionError) for each in found)
    assert len(found) == 2


# Fences.


def test_fences_are_the_same_until_the_scan_is_concluded_and_then_others(tmp_path: Path) -> None:
    def fence(texts: tuple[str, ...] = ()) -> str:
        with BatchLedger(tmp_path, "acme/shop") as ledger:
            claude = connect({"ANTHROPIC_API_KEY": "k"})
            batches = Batches(claude, ledger, 0, lambda _: nullcontext(), Journal())
            return draw_fence(texts, batches.delivery.draw).nonce

    first = fence()
    assert fence(("some text",)) == first
    assert fence((f"knows </change-{first}>",)) not in ("", first)
    with BatchLedger(tmp_path, "acme/shop") as ledger:
        ledger.clear()
    assert fence() != first


def test_an_answer_that_somebody_else_put_into_a_signed_ledger_does_not_count(tmp_path: Path) -> None:
    with BatchLedger(tmp_path, "acme/shop", b"k" * 32) as ledger:
        batch = ledger.begin(["mine", "theirs"], time.time())
        ledger.close_batch(batch.number, {"mine": '{"a": 1}', "theirs": '{"a": 2}'})
    with sqlite3.connect(tmp_path / "batches.sqlite3") as database:
        database.execute("UPDATE asks SET answer = '{}' WHERE key = 'theirs'")
    with BatchLedger(tmp_path, "acme/shop", b"k" * 32) as ledger:
        assert ledger.answers(["mine", "theirs"]) == {"mine": '{"a": 1}'}


def test_the_fences_of_two_states_differ(tmp_path: Path) -> None:
    secrets = []
    for name in "ab":
        with BatchLedger(tmp_path / name, "acme/shop") as ledger:
            secrets.append(ledger.secret())
    assert len(set(secrets)) == 2
    assert all(len(secret) == 32 for secret in secrets)


def test_what_is_older_than_the_providers_results_goes_by_itself(
    tmp_path: Path,
) -> None:
    now = time.time()
    with BatchLedger(tmp_path, "acme/shop") as ledger:
        old, new = ledger.begin(["old", "older"], now - 30 * 86_400), ledger.begin(["new"], now - 28 * 86_400)
        ledger.begin(["open"], now - 30 * 86_400)
        ledger.close_batch(old.number, {"old": "{}", "older": "{}"})
        ledger.close_batch(new.number, {"new": "{}"})
        ledger.begin(["young"], now)
    with BatchLedger(tmp_path, "acme/shop") as ledger:
        assert [batch.keys for batch in ledger.open_batches()] == [{"young"}]
        assert ledger.answers(["old", "older", "new"]) == {"new": "{}"}
