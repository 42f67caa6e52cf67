"""Stack traces and test output of many languages -> the source lines they name.

Traces are hostile text, so every pattern is anchored, possessive where it repeats, and sees at most
2,000 characters of a line and 2,000 lines: the time is linear in the length of the trace.
"""

import re
from dataclasses import dataclass, replace

_LINE_LENGTH_CAP = 2_000
_LINE_COUNT_CAP = 2_000
_FRAME_CAP = 100

_PYTHON = re.compile(r'\s*+File "([^"\n]{1,1000})", line (\d{1,7})')
_JVM = re.compile(r"\s*+at ([\w$./@<>-]++)\((\w[\w$-]*+\.(?:java|kt|kts|groovy|scala|clj)):(\d{1,7})\)")
_QUOTED = re.compile(r"> {1,200}+\S")
# path:12, path:12:5, path(12), path(12,5); the path starts the line or follows a space, bracket or quote
_GENERIC = re.compile(
    r"(?:^|[\s(\[\"'@])"
    r"(?:webpack(?:-internal)?://[^/\s]{0,100}/(?:\./)?)?"
    r"((?:file:(?=/))?(?:[A-Za-z]:(?=[\\/]))?[^\s:()\[\]\"'@]++)"
    r"(?::|\()(\d{1,7})(?=[:,)\s\]]|$)"
)
# bats: in test file a.bats, line 4; Perl: at a.t line 4.; PHP: in /a.php on line 4
_WORDED = re.compile(
    r"(?:^|[\s(])(?:at|in|file) ([^\s:()\"',]{1,400}\.\w{1,10}),? (?:on )?line (\d{1,7})(?=[.,)\s]|$)"
)


@dataclass(frozen=True, slots=True)
class TraceFrame:
    """One place in a trace: the path as written (for the JVM: package and file), line, the code shown."""

    path: str
    line: int
    snippet: str | None = None


def parse_frames(trace: str) -> list[TraceFrame]:
    """The places that a trace names, innermost call last.

    Known: Python and pytest, JVM, JavaScript, Go, Rust, C#, PHP, Ruby, Perl, bats. Traces whose lines start
    with ``at`` or ``#`` are written innermost first and are turned round.
    """
    lines = trace.split("\n")
    if len(lines) > _LINE_COUNT_CAP:
        half = _LINE_COUNT_CAP // 2
        lines = lines[:half] + lines[-half:]
    frames: list[TraceFrame] = []
    innermost_first = 0
    quoted: str | None = None
    for line in lines:
        text = line[:_LINE_LENGTH_CAP].rstrip()
        if _QUOTED.match(text):
            quoted = text[1:].strip()
            continue
        frame = _parse_line(text)
        if frame is not None and frame.line > 0 and len(frames) < _FRAME_CAP:
            frames.append(replace(frame, snippet=quoted) if quoted else frame)
            innermost_first += text.lstrip().startswith(("at ", "#"))
            quoted = None
    return frames[::-1] if 2 * innermost_first > len(frames) else frames


def _parse_line(text: str) -> TraceFrame | None:
    if match := _PYTHON.match(text):
        return TraceFrame(match.group(1), int(match.group(2)))
    if match := _JVM.match(text):
        return TraceFrame(_jvm_path(match.group(1), match.group(2)), int(match.group(3)))
    if ":line " in text:  # C#: at A.B() in /src/X.cs:line 12
        head, _, number = text.rpartition(":line ")
        path = head.rpartition(" in ")[2]
        return TraceFrame(path, int(number)) if re.fullmatch(r"[0-9]{1,7}", number) else None
    if match := _GENERIC.search(text) or (_WORDED.search(text) if "line " in text else None):
        return TraceFrame(match.group(1), int(match.group(2)))
    return None


def _jvm_path(method: str, file: str) -> str:
    """``app//com.foo.BarTest$Inner.run`` and ``BarTest.java`` -> ``com/foo/BarTest.java``."""
    package = method.rpartition("/")[2].split(".")[:-2]
    return "/".join([*package, file])
