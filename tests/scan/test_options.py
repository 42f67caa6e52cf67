import argparse
from pathlib import Path

import pytest

from reviewbot.scan.options import LAST, ScanOptions, add_scan_options, parse_scan_options


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_scan_options(parser)
    return parser.parse_args(arguments)


def test_nothing_asked_is_the_default() -> None:
    assert parse_scan_options(parse()) == ScanOptions()


def test_the_options_and_the_output_folder_become_one_value() -> None:
    options = parse("--full", "--state", "s")
    options.out = Path("o")
    assert parse_scan_options(options) == ScanOptions(Path("s"), full=True, out=Path("o"))
    assert parse("--since", LAST).since == "last"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--full", "--since", "x"],
        ["--state", ""],
        ["--since", ""],
        ["--max-wait", "soon"],
        ["--max-wait", "25h"],
        ["--max-wait", "-1s"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert "argument" in capsys.readouterr().err


def test_batches_are_the_default_and_can_be_left_out() -> None:
    assert (parse_scan_options(parse()).batch, parse_scan_options(parse("--no-batch")).batch) == (True, False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90s", 90), ("15m", 900), ("1.5h", 5_400), ("24h", 86_400)]
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_scan_options(parse("--max-wait", text)).wait_seconds == seconds
