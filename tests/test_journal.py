import io
import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.errors import OutputError
from reviewbot.journal import Journal

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_999, tzinfo=UTC)

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.text(min_size=1).filter(lambda name: name not in {"time", "event"})


def test_a_record_is_one_line_of_time_event_and_fields_in_their_order() -> None:
    journal = Journal(clock=lambda: NOON)
    journal.write("gate", conclusion="fail", blocking=2)

    assert journal.data() == (
        b'{"time": "2026-11-21T12:00:00.123Z", "event": "gate", "conclusion": "fail", "blocking": 2}\n'
    )


def test_the_time_is_utc_whatever_the_clock_says() -> None:
    journal = Journal(clock=lambda: NOON.astimezone(timezone(timedelta(hours=-8))))
    journal.write("start")

    assert json.loads(journal.data())["time"] == "2026-11-21T12:00:00.123Z"


def test_without_a_clock_the_time_is_now() -> None:
    journal = Journal()
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    journal.write("start")

    assert before <= datetime.fromisoformat(json.loads(journal.data())["time"]) <= datetime.now(UTC)


@given(st.text(), st.dictionaries(names, plain))
def test_any_json_value_comes_back_from_one_ascii_line(event: str, fields: dict[str, object]) -> None:
    journal = Journal()
    journal.write(event, **fields)
    data = journal.data()

    assert data.isascii()
    assert len(data.splitlines()) == 1
    assert data.endswith(b"\n")
    record = json.loads(data)
    assert record.pop("time")
    assert record == {"event": event, **fields}


def test_a_lone_surrogate_of_a_path_is_escaped() -> None:
    journal = Journal()
    journal.write("file", path=b"caf\xe9.py".decode("utf-8", "surrogateescape"))

    assert rb'"caf\udce9.py"' in journal.data()


@pytest.mark.parametrize("value", [b"raw", [b"raw"], {"deep": b"raw"}, object(), {1, 2}, float("nan")])
def test_bytes_and_what_json_cannot_hold_are_refused_and_leave_no_trace(value: object) -> None:
    journal = Journal()
    with pytest.raises((TypeError, ValueError)):
        journal.write("event", value=value)

    assert journal.data() == b""


@pytest.mark.parametrize("name", ["time", "event"])
def test_a_field_cannot_overwrite_the_time_or_the_event(name: str) -> None:
    journal = Journal()
    with pytest.raises(ValueError, match=name):
        journal.write("gate", **{name: "forged"})

    assert journal.data() == b""


def test_the_mirror_holds_each_record_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with path.open("wb") as mirror:
        journal = Journal(mirror)
        for number in range(3):
            journal.write("step", number=number)
            assert path.read_bytes() == journal.data()


def test_a_full_disk_is_an_output_error_and_the_record_stays_in_memory() -> None:
    class FullDisk(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    journal = Journal(FullDisk())
    with pytest.raises(OutputError, match="No space left on device"):
        journal.write("gate", conclusion="pass")

    assert json.loads(journal.data())["conclusion"] == "pass"


def test_threads_never_mix_their_records_nor_go_back_in_time() -> None:
    class SlowDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            first = super().write(data[:20])
            sleep(0.0001)  # another thread's turn, in the middle of a line
            return first + super().write(data[20:])

    mirror = SlowDisk()
    journal = Journal(mirror)

    def work(worker: int) -> None:
        for number in range(20):
            journal.write("step", worker=worker, number=number)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = [json.loads(line) for line in journal.data().splitlines()]
    assert mirror.getvalue() == journal.data()
    assert len({(record["worker"], record["number"]) for record in records}) == 160
    assert [record["time"] for record in records] == sorted(record["time"] for record in records)
