from reviewbot.agents.conversation.history import (
    MAX_MARKS,
    History,
    Prompt,
    estimate_request_tokens,
    for_one_request,
    weigh,
)

MARK = {"cache_control": {"type": "ephemeral"}}
ONE = {"type": "text", "text": "one"}


def marks(history: History) -> list[int]:
    return [
        i for i, turn in enumerate(history.messages()) if any("cache_control" in b for b in turn["content"])
    ]


def talk(prompt: Prompt, *, marks_turns: bool = True) -> History:
    history = History(prompt, [], marks_turns=marks_turns)
    for _ in range(3):
        history.append("assistant", [ONE])
        history.append("user", [ONE, ONE])
    return history


def test_the_newest_two_user_turns_are_marked_on_their_last_block() -> None:
    history = talk(Prompt((ONE,), (ONE,)))
    assert marks(history) == [4, 6]
    assert history.messages()[6]["content"] == [ONE, {**ONE, **MARK}]


def test_there_are_never_more_than_four_marks() -> None:
    marked = {**ONE, **MARK}
    for fixed in range(MAX_MARKS + 1):
        history = talk(Prompt((ONE, *[marked] * fixed), (ONE,)))
        assert len(marks(history)) == max(0, min(2, MAX_MARKS - fixed))


def test_a_block_that_the_prompt_marked_keeps_its_own_mark() -> None:
    hour = {**ONE, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert History(Prompt((), (hour,)), [], marks_turns=True).messages()[0]["content"] == [hour]


def test_marks_are_put_on_copies() -> None:
    block = dict(ONE)
    History(Prompt((), (block,)), [], marks_turns=True).messages()
    assert block == ONE


def test_an_estimate_counts_three_bytes_a_token_and_no_escapes_of_json() -> None:
    assert weigh('a\n\t"b') == 5 + 2
    assert weigh("\u00e9") == 2 + 2
    text = "x = 'y'\n" * 3_000
    assert 8_000 <= estimate_request_tokens({"messages": [{"content": text}]}) <= 8_600


def test_a_prompt_for_one_request_writes_only_what_others_read_to_the_cache() -> None:
    marked = {**ONE, **MARK}
    alone = for_one_request(Prompt((marked,), (ONE, marked, ONE)), "now")
    assert alone == Prompt((marked,), (ONE, ONE, ONE, {"type": "text", "text": "now"}))
    shared = for_one_request(Prompt((marked,), (marked, marked, ONE)), "now")
    assert shared.user[:3] == (marked, ONE, ONE)
    assert History(shared, [], marks_turns=False).messages()[0]["content"] == list(shared.user)
