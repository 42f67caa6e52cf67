"""Where SARIF results lie: artifact locations and regions -> ``Location`` in the head tree."""

from collections.abc import Iterator
from dataclasses import dataclass

from reviewbot.core import Location
from reviewbot.evidence.paths import TreePaths, decode_uri
from reviewbot.evidence.sarif_json import Node, integer_at, item_at, node_at, nodes_at, text_at
from reviewbot.text import cut, one_line, shorten, visible_line

_LINE_CAP = 10_000_000
LAST_LINE = 2**31 - 1
"""Stands for the last line of a file whose length nobody knows here; grounding puts in the real one."""
_BASE_CAP = 10
_URI_CAP = 4_096
_SNIPPET_CAP = 1_000
_OTHERS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Places:
    """What turns the locations of one run into paths of the tree."""

    tree: TreePaths
    bases: Node
    artifacts: list[Node]


@dataclass(frozen=True, slots=True)
class Place:
    """One location as written: where it lies (None: not in the tree), the line's text, what is unsure."""

    location: Location | None
    snippet: str | None
    doubt: str


def parse_places(run: Node, tree: TreePaths) -> Places:
    """Read the run's base URIs and artifacts (3.14.14, 3.14.15)."""
    return Places(tree, node_at(run, "originalUriBaseIds"), nodes_at(run, "artifacts"))


def list_written(places: Places, result: Node) -> Iterator[str]:
    """The paths that a result's locations write, for ``TreePaths.learn``."""
    for location in nodes_at(result, "locations")[:20]:
        artifact = node_at(node_at(location, "physicalLocation"), "artifactLocation")
        yield from _candidates(places, artifact)[:1]


def parse_place(places: Places, location: Node) -> Place:
    """Place one SARIF location (3.28).

    Without a usable line (none given, 0, or only character or byte offsets) it is the whole file, from
    line 1 to ``LAST_LINE``, and ``doubt`` says so.
    """
    physical = node_at(location, "physicalLocation")
    candidates = _candidates(places, node_at(physical, "artifactLocation"))
    region = node_at(physical, "region")
    start = integer_at(region, "startLine") or 0
    end = integer_at(region, "endLine") or start
    path = next((found for name in candidates if (found := places.tree.find(name)) is not None), None)
    if path is None:
        return Place(None, None, _name_missing(candidates, start))
    if not 1 <= start <= _LINE_CAP:
        return Place(Location(path, 1, LAST_LINE), None, "The tool named no line, so the whole file counts.")
    snippet = _snippet(region, node_at(physical, "contextRegion"), start)
    return Place(Location(path, start, end if start <= end <= _LINE_CAP else start), snippet, "")


def pick_places(places: list[Place]) -> list[Place]:
    """The places in the tree, each location once; if there is none, one place that says why."""
    found: dict[Location, Place] = {}
    for place in places:
        if place.location is not None:
            found.setdefault(place.location, place)
    return list(found.values()) or places[:1] or [Place(None, None, "The report names no file.")]


def describe_others(places: list[Place], own: Place) -> str:
    """A sentence that names the other places of one result; empty if there is none."""
    others = [place.location for place in places if place is not own and place.location is not None]
    if not others:
        return ""
    shown = [
        shorten(visible_line(other.path), 200)
        + ("" if other.end_line == LAST_LINE else f":{other.start_line}")
        for other in others[:_OTHERS_SHOWN]
    ]
    more = len(others) - len(shown)
    return f"Also at {', '.join(shown)}{f' and {more} more' if more else ''}."


def _name_missing(candidates: list[str], line: int) -> str:
    if not candidates:
        return "The report names no file."
    written = one_line(candidates[0].encode("utf-8", "replace").decode(), 200)
    return f"The report places it at {written}, line {line}, which is no file of the head tree."


def _candidates(places: Places, artifact: Node) -> list[str]:
    """What an artifact location may mean (3.4), best first: with its base, without, and undecoded.

    Some tools write plain paths where the standard wants percent-encoding.
    """
    uri = text_at(artifact, "uri")
    if uri is None:
        artifact = node_at(item_at(places.artifacts, integer_at(artifact, "index")), "location")
        uri = text_at(artifact, "uri")
    if not uri or len(uri) > _URI_CAP:
        return []
    base = _find_base(places.bases, text_at(artifact, "uriBaseId"))
    full = f"{base.rstrip('/')}/{uri}" if base and not uri.startswith("/") and ":/" not in uri else uri
    return list(dict.fromkeys((decode_uri(full), decode_uri(uri), full, uri)))


def _find_base(bases: Node, name: str | None) -> str:
    """Follow ``uriBaseId`` through ``originalUriBaseIds`` (3.14.14), at most ten steps."""
    parts: list[str] = []
    while name is not None and len(parts) < _BASE_CAP:
        base = node_at(bases, name)
        uri = text_at(base, "uri") or ""
        if len(uri) > _URI_CAP:
            return ""
        parts.insert(0, uri.rstrip("/"))
        name = text_at(base, "uriBaseId")
    return "/".join(part for part in parts if part)


def _snippet(region: Node, context: Node, line: int) -> str | None:
    """The text of the first line, whole if the context region holds it (3.29.4), else from the region."""
    first = integer_at(context, "startLine") or 0
    whole = (text_at(node_at(context, "snippet"), "text") or "").split("\n")
    if 1 <= first <= line < first + len(whole) and whole != [""]:
        return cut(whole[line - first].rstrip("\r"), _SNIPPET_CAP)
    text = text_at(node_at(region, "snippet"), "text")
    return cut(text.split("\n", 1)[0].rstrip("\r"), _SNIPPET_CAP) if text else None
