"""What Python source looks like around a result: its calls, its logical lines, its comments.

Works on text: nothing is compiled or run, and hostile text costs seconds at the worst.
"""

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from itertools import pairwise

Point = tuple[int, int]
"""A line from 1 and a column: ruff's count characters from 1, the parser's bytes of UTF-8 from 0."""
_WHOLE_CALLS = re.compile(r"S(3(?!24)\d\d|704)")
"""Of these, the ones of which ruff names the whole call, not a part of it."""
_FULL_LOADERS = {"FullLoader", "CFullLoader"}
_QUERY_RUNNERS = {
    "execute",
    "executemany",
    "executescript",
    "mogrify",
    "raw",
    "fetch",
    "fetchrow",
    "fetchval",
}
_BEFORE_QUOTED = re.compile(r"(?:[=<>(,]|\b(?:i?like|in|values))\s*\(?\s*'%?$", re.IGNORECASE)
_BEFORE_VALUE = re.compile(rf"(?:[=<>]|\bi?like)\s*$|{_BEFORE_QUOTED.pattern}", re.IGNORECASE)
MOST_PARSED = 256 * 1024
"""Characters of a file that Python's own parser may read: a few seconds and 200 MB at the worst."""
CALL_LINES = 40
"""Lines of one place of a result; a longer call gets several, and long code inside it gets none."""


class Syntax:
    """The calls of one Python file, by their places in the text that ruff read.

    Python's own parser reads what it can (this Python may be older than the file's); where it cannot,
    the logical line stands for the call.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._tree = _parse(text)
        self._by_callee: dict[tuple[Point, Point], ast.Call] = {}
        self._by_argument: dict[tuple[Point, Point], ast.Call] = {}
        self._by_end: dict[Point, ast.Call] = {}
        self._is_only_import = cache(self._look_up_import)
        for call in _calls(self._tree):
            self._by_end[_span(call)[1]] = call
            self._by_callee[_span(call.func)] = call
            for part in (*_parts(call), *(keyword.value for keyword in call.keywords)):
                self._by_argument[_span(part)] = call

    @cached_property
    def _starts(self) -> list[int]:
        return logical_lines(self._lines)

    def find_call(self, code: str, start: Point, end: Point) -> ast.Call | None:
        """The call that a result is about, from the place that ruff gave it."""
        place = self._in_bytes(start), self._in_bytes(end)
        if _WHOLE_CALLS.fullmatch(code) and place[1] in self._by_end:
            return self._by_end[place[1]]
        return self._by_callee.get(place) or self._by_argument.get(place) or self._by_end.get(place[1])

    def _in_bytes(self, point: Point) -> Point:
        """Ruff counts characters from 1, Python's parser bytes of UTF-8 from 0."""
        line = self._lines[point[0] - 1] if 0 < point[0] <= len(self._lines) else ""
        return point[0], len(line[: max(0, point[1] - 1)].encode("utf-8", "replace"))

    def places(self, call: ast.Call | None, first: int, last: int) -> list[tuple[int, int]]:
        """The lines that belong to the call, without the inside of lambdas and of long code in arguments."""
        if call is None:
            index = bisect_right(self._starts, first)
            end = self._starts[index] - 1 if index < len(self._starts) else len(self._lines)
            reach = 4 * CALL_LINES
            pieces = [(max(self._starts[index - 1], first - reach), max(last, min(end, last + reach)))]
        else:
            pieces = list(_pieces(call, first))
        if not any(start <= first and last <= end for start, end in pieces):
            pieces.append((first, last))
        # pieces share a line, so that a deletion between them is inside one
        step = CALL_LINES - 1
        return [
            (n, min(n + step, end)) for start, end in pieces for n in range(start, max(start + 1, end), step)
        ]

    def is_full_loader(self, call: ast.Call) -> bool:
        """Whether PyYAML's full loader is passed by its own name; an author may call any loader so."""
        loader = next((keyword.value for keyword in call.keywords if keyword.arg == "Loader"), None)
        loader = loader or (call.args[1] if len(call.args) > 1 else None)
        match loader:
            case ast.Attribute(value=ast.Name(id="yaml"), attr=name):
                return name in _FULL_LOADERS and self._is_only_import("", "yaml")
            case ast.Name(id=name):
                return name in _FULL_LOADERS and self._is_only_import("yaml", name)
        return False

    def _look_up_import(self, module: str, name: str) -> bool:
        """Whether the name is bound once or more by this plain import, and by nothing else."""
        kinds: set[bool] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                said = (node.module if not node.level else ".") if isinstance(node, ast.ImportFrom) else ""
                bound = [alias for alias in node.names if (alias.asname or alias.name) == name]
                kinds |= {
                    said == module and alias.asname in (None, name) and alias.name == name for alias in bound
                }
            elif name in _bound_names(node):
                kinds.add(False)
        return kinds == {True}


def _parse(text: str) -> ast.AST:
    """The syntax tree, empty where Python's parser gives up; hostile text may exhaust it on purpose."""
    if len(text) > MOST_PARSED:
        return ast.Module([], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the file's escapes: not ours to print
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])


def _bound_names(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return (name,)
        case (
            ast.ClassDef(name=name)
            | ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.arg(arg=name)
        ):
            return (name,)
    return ()


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _parts(call: ast.Call) -> list[ast.expr | ast.keyword]:
    return [*call.args, *call.keywords]


def _span(node: ast.expr | ast.keyword) -> tuple[Point, Point]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _pieces(call: ast.Call, first: int) -> Iterator[tuple[int, int]]:
    """The call from its bracket on (or from ruff's place, if above), cut where other code is inside."""
    at = min(first, _span(call.func)[1][0])
    skipped: list[tuple[int, int]] = []
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        start, end = _span(value)
        if end[0] - start[0] >= CALL_LINES and any(_calls(value)):
            skipped.append((start[0], end[0]))
        lambdas = (_span(node) for node in ast.walk(value) if isinstance(node, ast.Lambda))
        skipped += [(start[0], end[0]) for start, end in lambdas if end[0] > start[0] + 1]
    for top, bottom in sorted(skipped):
        if top >= at:
            yield at, top
        at = max(at, bottom)
    yield at, _span(call)[1][0]


def takes_request_data(call: ast.Call) -> bool:
    """Whether an argument names a request, an event's field, or what was just received or typed in."""
    for part in _parts(call):
        for node in ast.walk(part):
            match node:
                case ast.Name(id="request") | ast.Attribute(attr="request" | "recv" | "receive"):
                    return True
                case ast.Subscript(value=ast.Name(id="event")) | ast.Call(func=ast.Name(id="input")):
                    return True
    return False


def runs_value_in_query(call: ast.Call) -> bool:
    """Whether a call runs SQL that a value was put into, although nothing was bound.

    Such a value stands in quotes or at the end of a comparison. A table's name, which cannot be bound,
    stands after other words; ``IN ({marks})`` and its like go with parameters.
    """
    runs = isinstance(call.func, ast.Attribute) and call.func.attr in _QUERY_RUNNERS
    if not runs or not call.args:
        return False
    pattern = _BEFORE_VALUE if len(call.args) + len(call.keywords) == 1 else _BEFORE_QUOTED
    return any(pattern.search(before) for before, value in _values(call.args[0]) if not _is_harmless(value))


def _values(query: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    """Each value that is put into a string, with the constant text in front of it."""
    match query:
        case ast.JoinedStr(values=values):
            for before, value in pairwise(values):
                if isinstance(value, ast.FormattedValue) and isinstance(before, ast.Constant):
                    yield str(before.value)[-200:], value.value
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
            given = right.elts if isinstance(right, ast.Tuple) else [right]
            yield from _pairs(re.split(r"%(?:\(\w+\))?s", text), given)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (*_values(left), *_values(right))
            last = left.right if isinstance(left, ast.BinOp) else left
            if isinstance(last, ast.Constant) and not isinstance(right, ast.Constant):
                yield str(last.value)[-200:], right
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=args):
            yield from _pairs(re.split(r"\{[^{}]*\}", text), args)


def _pairs(parts: Sequence[str], given: Sequence[ast.expr]) -> Iterator[tuple[str, ast.expr | None]]:
    """The text before each place of a format, with what is put there as far as that can be told."""
    for number, before in enumerate(parts[:-1]):
        yield before[-200:], given[number] if number < len(given) else None


def _is_harmless(value: ast.expr | None) -> bool:
    """A number, a constant by its name, or a joined list of marks."""
    match value:
        case ast.Call(func=ast.Name(id="int" | "float" | "len") | ast.Attribute(attr="join")):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.isupper()
    return False


# No possessive repeat of a group that has alternatives: Python up to 3.11.4 matches it wrongly (gh-106052).
_TOKENS = re.compile(
    r"""(?P<comment>\#[^\n]*+)|(?P<string>(?P<triple>\"{3}|'{3})(?:[^\\"']++|\\.|(?!(?P=triple))["'])*"""
    r"""(?:(?P=triple)|\\?\Z)"""
    r"""|(?P<quote>["'])(?:[^\\\n"']++|\\.|(?!(?P=quote))["'])*(?:(?P=quote)|\\?(?=\n)|\\?\Z))"""
    r"""|(?P<open>[(\[{])|(?P<close>[)\]}])|\\\n|(?P<end>\n)""",
    re.DOTALL,
)


def comment_columns(lines: Sequence[str]) -> dict[int, int]:
    """Line number to the column where its comment starts, for Python; a ``#`` in a string is none.

    Reads any text in linear time, also what does not parse.
    """
    columns: dict[int, int] = {}
    line, start = 1, 0
    text = "\n".join(lines)
    for token in _TOKENS.finditer(text):
        if token["comment"]:
            columns[line] = token.start() - start
        elif breaks := token[0].count("\n"):
            line += breaks
            start = token.start() + token[0].rindex("\n") + 1
    return columns


def logical_lines(lines: Sequence[str]) -> list[int]:
    """The numbers of the lines on which a logical line of Python starts, in order."""
    starts, line, depth = [1], 1, 0
    for token in _TOKENS.finditer("\n".join(lines)):
        line += token[0].count("\n")
        depth = max(0, depth + bool(token["open"]) - bool(token["close"]))
        if token["end"] and depth == 0:
            starts.append(line)
    return starts
