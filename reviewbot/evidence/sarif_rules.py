"""What a SARIF run says about its rules: which rule a result means, how bad it is, which CWEs it has.

Section numbers are those of the OASIS standard SARIF 2.1.0.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from reviewbot.core import Severity
from reviewbot.evidence.sarif_json import Malformed, Node, integer_at, item_at, node_at, nodes_at, text_at
from reviewbot.text import cut

MESSAGE_CAP = 4_000
Level = Literal["error", "warning", "note", "none"]

_BY_LEVEL = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.INFO,
}
_SCORE = re.compile(r"\d{1,2}(?:\.\d{1,10})?")
_CWE = re.compile(r"(?:^|/)cwe[-_ ]?0*([1-9]\d{0,5})\b", re.IGNORECASE)
_CWE_CAP = 20
_COMPONENT_CAP = 50
_NESTING_CAP = 5
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\(\d{1,9}\)")
_PLACEHOLDER = re.compile(r"\{(\d{1,3})\}|\{\{|\}\}")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one run: those of the driver first, then those of each extension.

    ``overrides`` holds, for each invocation, the levels that it gives to rules by their ids (3.20.5).
    """

    components: tuple[Node, ...]
    listed: tuple[list[Node], ...]
    by_id: tuple[dict[str, Node], ...]
    taxonomies: list[Node]
    overrides: tuple[dict[str, str], ...] = ()


def parse_rules(run: Node) -> Rules:
    """Collect the rules of ``run.tool`` and the run's taxonomies (3.14.8, 3.18)."""
    tool = node_at(run, "tool")
    components = (node_at(tool, "driver"), *nodes_at(tool, "extensions"))
    if len(components) > _COMPONENT_CAP:
        raise Malformed(f"{len(components) - 1} tool.extensions; at most {_COMPONENT_CAP - 1} are read")
    listed = tuple(nodes_at(component, "rules") for component in components)
    by_id = tuple({text_at(rule, "id") or "": rule for rule in rules} for rules in listed)
    rules = Rules(components, listed, by_id, nodes_at(run, "taxonomies")[:_COMPONENT_CAP])
    return replace(rules, overrides=tuple(_parse_overrides(c, rules) for c in nodes_at(run, "invocations")))


def _parse_overrides(invocation: Node, rules: Rules) -> dict[str, str]:
    levels: dict[str, str] = {}
    for override in nodes_at(invocation, "ruleConfigurationOverrides"):
        rule_id, _ = find_rule(rules, {"rule": node_at(override, "descriptor")})
        if level := text_at(node_at(override, "configuration"), "level"):
            levels[rule_id] = level
    return levels


def find_rule(rules: Rules, result: Node) -> tuple[str, Node]:
    """The id of a result's rule and its descriptor, an empty one if the run has none (3.27.5-3.27.7).

    Where id and index disagree the id counts. ``CA1000/1`` is a case of the rule ``CA1000`` (3.27.5).
    """
    reference = node_at(result, "rule")
    rule_id = text_at(result, "ruleId") or text_at(reference, "id")
    index = integer_at(result, "ruleIndex")
    index = index if index is not None and index >= 0 else integer_at(reference, "index")
    own = _find_component(rules, node_at(reference, "toolComponent"))
    rule = item_at(rules.listed[own], index)
    indexed_id = text_at(rule, "id")
    if not rule_id:
        return indexed_id or "unnamed", rule
    if indexed_id and rule_id.startswith(indexed_id) and rule_id[len(indexed_id) :][:1] in ("", "/"):
        return rule_id, rule
    wanted = rule_id
    for _ in range(_NESTING_CAP):
        for by_id in (rules.by_id[own], *rules.by_id):
            if wanted in by_id:
                return rule_id, by_id[wanted]
        wanted = wanted[:1_000].rpartition("/")[0]
    return rule_id, {}


def _find_component(rules: Rules, reference: Node) -> int:
    """Position in ``rules.components`` (3.54): an index into the extensions, else a name or guid."""
    index = integer_at(reference, "index")
    if index is not None and 0 <= index < len(rules.components) - 1:
        return index + 1
    for key in ("guid", "name"):
        wanted = text_at(reference, key)
        for position, component in enumerate(rules.components):
            if wanted and text_at(component, key) == wanted:
                return position
    return 0


def parse_level(result: Node, rule_id: str, rule: Node, rules: Rules) -> Level:
    """The level of the result, else what its invocation or the rule itself sets, else warning (3.27.10)."""
    default = text_at(node_at(rule, "defaultConfiguration"), "level")
    level = text_at(result, "level") or _find_override(result, rule_id, rule, rules) or default or "warning"
    if level not in _BY_LEVEL:
        raise Malformed(f"level {cut(level, 40)!r} is none of error, warning, note, none")
    return cast(Level, level)


def _find_override(result: Node, rule_id: str, rule: Node, rules: Rules) -> str | None:
    """The level that the invocation of a result gives its rule. A single invocation needs no index."""
    index = integer_at(node_at(result, "provenance"), "invocationIndex")
    if index is None or index < 0:
        index = 0 if len(rules.overrides) == 1 else -1
    levels = rules.overrides[index] if 0 <= index < len(rules.overrides) else {}
    return levels.get(rule_id) or levels.get(text_at(rule, "id") or "")


def parse_severity(result: Node, rule: Node, level: Level) -> Severity:
    """From ``security-severity`` (GitHub: 9 critical, 7 high, 4 medium, else low), else from the level."""
    for owner in (result, rule):
        score = node_at(owner, "properties").get("security-severity")
        text = str(score) if isinstance(score, int | float) else score
        if isinstance(text, str) and _SCORE.fullmatch(text) and float(text) <= 10:
            return _rate(float(text))
    return _BY_LEVEL[level]


def _rate(score: float) -> Severity:
    if score >= 9:
        return Severity.CRITICAL
    if score >= 7:
        return Severity.HIGH
    return Severity.MEDIUM if score >= 4 else Severity.LOW


def parse_cwes(result: Node, rule: Node, rules: Rules) -> tuple[str, ...]:
    """CWE ids such as ``CWE-79`` from tags, ``properties.cwe``, taxa and relationships, in that order."""
    found: list[str] = []
    for owner in (result, rule):
        properties = node_at(owner, "properties")
        for text in (*_strings(properties.get("tags")), *_strings(properties.get("cwe"))):
            found.extend(match.group(1) for match in _CWE.finditer(text[:200]))
    links = nodes_at(rule, "relationships", 50)
    for target in nodes_at(result, "taxa", 50) + [node_at(link, "target") for link in links]:
        number = (text_at(target, "id") or "")[:20].upper().removeprefix("CWE-").lstrip("0")
        if re.fullmatch(r"[0-9]{1,6}", number) and _is_cwe(node_at(target, "toolComponent"), rules):
            found.append(number)
    return tuple(f"CWE-{number}" for number in list(dict.fromkeys(found))[:_CWE_CAP])


def _is_cwe(component: Node, rules: Rules) -> bool:
    """Whether a reference to a taxonomy means MITRE's CWE list, by name, index or guid."""
    guid = text_at(component, "guid")
    taxonomy = item_at(rules.taxonomies, integer_at(component, "index"))
    if not taxonomy and guid:
        taxonomy = next((known for known in rules.taxonomies if text_at(known, "guid") == guid), {})
    return (text_at(component, "name") or text_at(taxonomy, "name") or "").upper() == "CWE"


def _strings(value: Any) -> list[str]:
    """The strings of a property, which may be one or a list; a property bag has no schema."""
    values = value if isinstance(value, list) else [value]
    return [item for item in values[:100] if isinstance(item, str)]


def parse_message(message: Node, rule: Node, driver: Node) -> str:
    """The text of a message (3.11): its own, or a message string of rule or driver, with its arguments."""
    text = text_at(message, "text")
    key = text_at(message, "id")
    if text is None and key is not None:
        for owner, table in ((rule, "messageStrings"), (driver, "globalMessageStrings")):
            template = node_at(node_at(owner, table), key)
            text = text if text is not None else text_at(template, "text")
    if text is None:
        return cut(text_at(message, "markdown") or "", MESSAGE_CAP)
    arguments = message.get("arguments")
    if isinstance(arguments, list):
        text = _fill(text[: 2 * MESSAGE_CAP], _strings(arguments))
    return _LINK.sub(r"\1", cut(text, MESSAGE_CAP))  # 3.11.6: links into relatedLocations


def _fill(template: str, arguments: list[str]) -> str:
    """Put arguments into ``{0}`` places. Stops past the cap: a short template can ask for gigabytes."""
    pieces: list[str] = []
    length = at = 0
    for match in _PLACEHOLDER.finditer(template):
        place = match.group(1)
        if place is None:
            value = match.group()[0]
        else:
            value = cut(arguments[int(place)], 1_000) if int(place) < len(arguments) else match.group()
        pieces += [template[at : match.start()], value]
        length += len(pieces[-1]) + len(pieces[-2])
        at = match.end()
        if length > MESSAGE_CAP:
            break
    return "".join([*pieces, template[at:]])
