from reviewbot.agents.api.claude import Ask
from reviewbot.agents.conversation.history import Prompt, weigh
from reviewbot.agents.conversation.window import split_window


def block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


PROMPT = Prompt((block("rules"),), (block("files"), block("hunks"), block("task")), material=2)


def ask(*later: tuple[str, list[dict[str, str]]]) -> Ask:
    turns = [{"role": "user", "content": list(PROMPT.user)}]
    turns += [{"role": role, "content": blocks} for role, blocks in later]
    return Ask("m", 10, PROMPT.system, [{"name": "search"}], turns, "low", {"type": "object"}, 1.0)


def test_a_first_request_is_tools_system_change_task_and_the_form_of_the_answer() -> None:
    parts = split_window(ask(), PROMPT.material)
    assert parts["change"] == weigh(PROMPT.user[:2])
    assert parts["task"] == weigh(PROMPT.user[2:])
    assert parts["system"] == weigh(PROMPT.system)
    assert parts["answers"] == parts["tool_results"] == parts["notes"] == 0
    assert all(parts[name] for name in ("tools", "format"))


def test_what_tools_brought_is_told_from_what_the_model_said_and_what_it_was_told() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "x" * 500}
    later = ask(
        ("assistant", [block("y" * 90)]), ("user", [result, block("last turn")]), ("user", [block("again")])
    )
    parts = split_window(later, PROMPT.material)
    assert parts["tool_results"] == weigh(result)
    assert parts["notes"] == weigh(block("last turn")) + weigh(block("again"))
    assert parts["answers"] == weigh([block("y" * 90)])
    first = split_window(ask(), PROMPT.material)
    assert {name: parts[name] for name in ("tools", "system", "change", "task", "format")} == {
        name: first[name] for name in ("tools", "system", "change", "task", "format")
    }
