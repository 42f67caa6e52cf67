import io
import time

from reviewbot.publish.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_quick_says_nothing() -> None:
    stream = io.StringIO()
    with Progress(stream, delay=30).step("reading"):
        pass
    assert stream.getvalue() == ""


def test_what_takes_long_is_one_line() -> None:
    stream = io.StringIO()
    with Progress(stream, delay=0.01).step("reading"):
        while not stream.getvalue():
            time.sleep(0.005)
    assert stream.getvalue() == "reviewbot: reading …\n"


def test_a_terminal_gets_its_line_back() -> None:
    stream = Terminal()
    with Progress(stream, delay=0.01).step("reading"):
        while not stream.getvalue():
            time.sleep(0.005)
    assert stream.getvalue().startswith("reviewbot: reading …\r")
    assert stream.getvalue().endswith(" \r")
