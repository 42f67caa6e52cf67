from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.agents.rounds.backlog import SMALLEST_TASK_TOKENS, Backlog, pack_riskiest
from reviewbot.agents.tasks import TASK_FILES
from reviewbot.agents.view.excerpts import estimate_tokens, render_file
from reviewbot.core import FileChange
from tests.agents.view.test_excerpts import changed, hunk_of


def file(path: str, lines: int) -> FileChange:
    return changed(path, hunk_of(*[f"+{path} {number:04}" + "x" * 40 for number in range(lines)]))


def paths(parts: tuple[FileChange, ...] | list[FileChange]) -> list[str]:
    return [part.path for part in parts]


def test_with_enough_money_a_folder_stays_together_and_a_task_has_at_most_thirty_files() -> None:
    backlog = Backlog([file("a/1", 2), file("b/1", 2), file("a/2", 2)], 50_000)
    batch = backlog.take(float("inf"))
    assert batch is not None and paths(batch.parts) == ["a/1", "a/2", "b/1"]
    many = Backlog([file(f"a/{number:03}", 1) for number in range(300)], 50_000)
    assert many.has_siblings
    sizes = []
    while batch := many.take(float("inf")):
        sizes.append(len(batch.parts))
    assert sum(sizes) == 300 and max(sizes) == TASK_FILES


def test_with_little_money_the_riskiest_files_come_first_whatever_their_folder() -> None:
    files = [file("a/1", 60), file("b/1", 60), file("a/2", 60)]
    room = estimate_tokens(render_file(files[0])) * 2 + 5
    backlog = Backlog(files, 50_000)
    first, second = backlog.take(room), backlog.take(room)
    assert first is not None and paths(first.parts) == ["a/1", "b/1"]
    assert second is not None and paths(second.parts) == ["a/2"]
    assert not backlog


def test_where_the_money_is_for_a_part_only_no_folder_eats_it_up_behind_its_riskiest_file() -> None:
    files = [
        file("a/1", 20),
        *(file(f"b/{n}", 20) for n in range(3)),
        *(file(f"a/{n}", 20) for n in range(2, 9)),
    ]
    size = estimate_tokens(render_file(files[0]))
    rich, poor = Backlog(files, size * 10), Backlog(files, size * 10)
    first = rich.take(size * 12)
    assert first is not None and paths(first.parts) == ["a/1", "a/2", "a/3", "a/4", "a/5"]
    first = poor.take(size * 6)
    assert first is not None and paths(first.parts) == ["a/1", "b/0", "b/1", "b/2", "a/2"]
    assert not first.is_half
    left = poor.give_up()
    assert [part.path for part in left] == [f"a/{n}" for n in range(3, 9)]


def test_a_file_that_the_money_cannot_finish_comes_last_and_one_that_it_can_keeps_its_place() -> None:
    files = [file("big", 200), file("small", 20)]
    room = estimate_tokens(render_file(files[0])) * 2 // 3
    last = Backlog(files, 50_000).take(room, 1)
    assert last is not None and paths(last.parts) == ["small"]
    first = Backlog(files, 50_000).take(room, 2)
    assert first is not None and paths(first.parts) == ["big"]


def test_with_hardly_any_money_nothing_is_taken_and_all_of_it_still_waits() -> None:
    backlog = Backlog([file("a/1", 60), file("b/1", 60)], 50_000)
    assert backlog.take(SMALLEST_TASK_TOKENS - 1) is None
    assert backlog.take(-5_000) is None
    assert paths(backlog.give_up()) == ["a/1", "b/1"] and not backlog


def test_a_batch_is_split_once_and_again_only_if_it_was_never_read() -> None:
    backlog = Backlog([file(name, 60) for name in "abcd"], 50_000)
    whole = backlog.take(float("inf"))
    assert whole is not None and backlog.split(whole)
    half, other = backlog.take(float("inf")), backlog.take(float("inf"))
    assert half is not None and other is not None
    assert paths([*half.parts, *other.parts]) == ["a", "b", "c", "d"]
    assert not backlog.split(half) and not backlog
    assert backlog.split(half, again=True) and backlog


def test_many_small_files_are_split_by_their_number() -> None:
    backlog = Backlog([file(f"a/{number}", 1) for number in range(6)], 50_000)
    whole = backlog.take(float("inf"))
    assert whole is not None and backlog.split(whole)
    half = backlog.take(float("inf"))
    assert half is not None and len(half.parts) == 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c/d"]), st.integers(1, 80)), min_size=1, max_size=12),
    st.integers(500, 4_000),
    st.integers(1, 3),
)
def test_packing_loses_no_line_and_no_batch_is_too_large(
    shapes: list[tuple[str, int]], room: int, tasks: int
) -> None:
    files = [file(f"{folder}/{number}", lines) for number, (folder, lines) in enumerate(shapes)]
    packed = pack_riskiest(files, room, tasks)
    assert all(sum(estimate_tokens(render_file(part)) for part in parts) <= room for parts in packed)
    lines = [line for parts in packed for part in parts for hunk in part.hunks for line in hunk.lines]
    assert sorted(lines) == sorted(line for one in files for hunk in one.hunks for line in hunk.lines)


def drain(backlog: Backlog, room: float) -> list[str]:
    """The paths in the order in which they are finished, each task read."""
    finished: list[str] = []
    while batch := backlog.take(room):
        finished += backlog.finish(batch)
    return finished


def test_a_file_is_finished_once_its_last_part_was_read() -> None:
    backlog = Backlog([file("a/large", 3_000), file("a/small", 2)], 50_000)
    first = backlog.take(float("inf"))
    assert first is not None and paths(first.parts) == ["a/large"]
    assert backlog.finish(first) == ()
    assert sorted(drain(backlog, float("inf"))) == ["a/large", "a/small"]


def test_what_was_packed_anew_or_split_is_finished_once_too() -> None:
    files = [file(name, 60) for name in "abcd"]
    backlog = Backlog(files, 50_000)
    whole = backlog.take(float("inf"))
    assert whole is not None and backlog.split(whole)
    room = estimate_tokens(render_file(file("a", 60))) // 2
    assert sorted(drain(backlog, room)) == ["a", "b", "c", "d"]


def test_a_file_with_a_part_that_was_not_read_is_never_finished() -> None:
    backlog = Backlog([file("a/large", 3_000), file("a/small", 2)], 50_000)
    backlog.take(float("inf"))  # and it failed
    assert drain(backlog, float("inf")) == ["a/small"]
