"""YAML bytes -> plain values that still know where in the file they stand.

Scalars are read by the core schema of YAML 1.2 (``yes``, ``off`` and ``1:30`` are text), as editors
read them.
"""

import codecs
import json
import re
from bisect import bisect_left
from typing import Any, NoReturn

import yaml

from reviewbot.errors import PolicyError
from reviewbot.policy.model import PRICE_KEYS, ROOT_KEYS, RULE_KEYS
from reviewbot.text import printable

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_DEPTH = 20

Place = tuple[str | int, ...]
"""Where a value stands in the file: keys and list positions from the root."""

_PLAINLY = (
    (r"'\\t' that cannot start", "a tab stands where YAML takes only spaces; indent with spaces"),
    ("mapping values are not allowed", "a colon too many, or too deep an indent; quote text that holds `: `"),
    ("quoted scalar, found unexpected end", "a quotation mark opens here and never closes"),
    ("a flow (sequence|mapping|node)", "a list in [ ] or a mapping in { } ends in the wrong place; quote "
     "text that holds brackets, braces or commas"),
    ("a block (mapping|collection)|a simple key|<document start>", "the line does not fit those above it; "
     "write `key: value`, indented like its neighbours"),
    ("expected a single document", "`---` begins a second document; keep one"),
    ("alias|anchor", "an anchor or alias (& or *) may not stand in a policy; quote text that begins with "
     "& or *"),
)  # fmt: skip
"""What PyYAML says of the mistakes that people make, and what it means."""


def hyphenated(name: str) -> str:
    """A key as the file spells it."""
    return name.replace("_", "-")


def shown(value: object) -> str:
    """A value of the file for a message, as JSON in printable characters."""
    return printable(json.dumps(value, ensure_ascii=False))


def _decode(data: bytes) -> tuple[str, bool]:
    """The text, up to the first byte that is not UTF-8; and whether there is one."""
    try:
        return data.decode(), False
    except UnicodeDecodeError as error:
        return data[: error.start].decode(), True


def _plain_words(error: yaml.MarkedYAMLError, end: int) -> tuple[int, str]:
    """Where the mistake is and what to do about it. What is open at the ``end`` is shown where it opens."""
    said = ", ".join(text for text in (error.context, error.problem) if text)
    meant = next((words for pattern, words in _PLAINLY if re.search(pattern, said)), printable(said, 160))
    mark, opened = error.problem_mark, error.context_mark
    at_end = mark is not None and mark.index >= end
    place = opened if at_end and opened is not None else mark
    return (place.index if place else 0), meant


class _Composer(yaml.SafeLoader):
    """PyYAML's composer without what a policy needs least: anchors, aliases, tags, deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            self._refuse(event, f"values are nested more than {MAXIMUM_DEPTH} deep")
        if getattr(event, "anchor", None) is not None:
            self._refuse(event, "an anchor or alias")
        if getattr(event, "tag", None) is not None:
            self._refuse(event, "a tag (!) may not stand in a policy; quote text that begins with !")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, event: yaml.Event, problem: str) -> NoReturn:
        raise yaml.MarkedYAMLError(None, None, problem, event.start_mark)  # type: ignore[arg-type]


class PolicySource:
    """One file as plain values (``tree``) that still know their lines, counted by line feeds as git does."""

    def __init__(self, data: bytes, where: str) -> None:
        name = re.fullmatch(r"(.*?)( at [0-9a-f]{7,64})?", where, re.DOTALL)
        assert name
        self._name, self._commit = printable(name[1], 300), name[2] or ""
        self._starts: dict[Place, int] = {}
        self._feeds: list[int] = []
        if len(data) > MAXIMUM_BYTES:
            raise self.error(0, f"the file has {len(data)} bytes but may have {MAXIMUM_BYTES} at most")
        text, flaw = _decode(data.removeprefix(codecs.BOM_UTF8))
        self._feeds = [found.start() for found in re.finditer("\n", text)]
        if flaw:
            raise self.error(len(text), "the file is not UTF-8 text; save it as UTF-8")
        # YAML 1.1 breaks lines here, editors and git do not: a key could hide behind a comment.
        self._hidden = [found.start() for found in re.finditer("\r(?!\n)|[\x85\u2028\u2029]", text)]
        root = self._compose(text)
        empty = root is None or (isinstance(root, yaml.ScalarNode) and not root.value and not root.style)
        self.tree = {} if empty else self._plain(root, ())
        if not isinstance(self.tree, dict):
            raise self.error(
                self.start(()), f"the policy is {shown(self.tree)} but must be a mapping of keys"
            )

    def error(self, index: int, problem: str) -> PolicyError:
        """The error for ``problem``, a clause or question, about the character at ``index``."""
        line = self._line_at(index)
        column = index - (self._feeds[line - 2] if line > 1 else -1)
        stop = "" if problem.endswith("?") else "."
        return PolicyError(f"{self._name}:{line}:{column}{self._commit}: {problem}{stop}")

    def start(self, place: Place) -> int:
        """The index of the character where ``place``, or what it stands in, begins."""
        while place and place not in self._starts:
            place = place[:-1]
        return self._starts.get(place, 0)

    def origin(self, place: Place) -> str:
        """Where ``place`` stands, such as ``.github/reviewbot.yml:3 at 1a2b3c4d``."""
        return f"{self._name}:{self._line_at(self.start(place))}{self._commit}"

    def _line_at(self, index: int) -> int:
        return bisect_left(self._feeds, index) + 1

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            loader = _Composer(text)
            return loader.get_single_node()
        except yaml.reader.ReaderError as error:
            problem = f"U+{error.character:04X} may not stand in YAML; write it as an escape"
            raise self.error(error.position, problem) from None
        except yaml.MarkedYAMLError as error:
            index, problem = _plain_words(error, len(text))
            raise self.error(index, f"this is not the YAML of a policy: {problem}") from None
        except (ValueError, OverflowError):  # PyYAML lets them pass, as for "\UFFFFFFFF"
            raise self.error(loader.index, "an escape or directive is out of range") from None

    def _plain(self, node: yaml.Node | None, place: Place) -> Any:
        """``node`` as a dict, list or scalar; notes the place of everything in it."""
        assert node is not None
        self._note(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*place, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, place)

    def _note(self, node: yaml.Node, place: Place) -> None:
        index = node.start_mark.index
        before = bisect_left(self._hidden, index) - 1
        if before >= 0 and self._line_at(self._hidden[before]) == self._line_at(index):
            raise self.error(
                index, "text stands behind a line break that is no line feed; break lines by line feeds"
            )
        self._starts[place] = index

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        inner = {"paths": RULE_KEYS, "prices": PRICE_KEYS}
        known = ROOT_KEYS if not place else inner.get(str(place[0]), ()) if len(place) == 2 else ()
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            written = self._key(key_node)
            key = hyphenated(written) if hyphenated(written) in known else written
            if key in values:
                first = self._line_at(self.start((*place, key)))
                raise self.error(
                    key_node.start_mark.index,
                    f"`{printable(written)}` is given twice, first in line {first}; keep one",
                )
            values[key] = self._plain(value_node, (*place, key))
            self._note(key_node, (*place, key))
        return values

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node.start_mark.index, "a key is a list or mapping but must be text")
        return self._text(node)

    def _text(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self.error(
                node.start_mark.index,
                "an escape stands for half a character; write the character itself",
            )
        return text

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> str | float | bool:
        text = self._text(node)
        if node.style:
            return text
        if text in {"", "~", "null", "Null", "NULL"}:
            key = f"`{printable(str(place[-1]))}`" if place and isinstance(place[-1], str) else "this entry"
            raise self.error(self.start(place), f"{key} has no value; give it one or remove it")
        if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
            return text.lower() == "true"
        if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
            return int(text)
        if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
            return float(text)
        special = re.fullmatch(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text)
        return float(special[0].replace(".", "")) if special else text
