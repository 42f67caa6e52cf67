"""The text of ``reviewbot config``: each setting, its value and where that comes from. Pure."""

from reviewbot.policy.cascade import SCALARS, option_name
from reviewbot.settings import PathRule, Settings, hyphenated, shown_value
from reviewbot.spend.caps import MONTH_HOLDS
from reviewbot.text import printable


def render_config(settings: Settings) -> str:
    """The text of ``reviewbot config``: a value a line (name, value, origin), then the policies read."""
    rows = [
        (hyphenated(name), shown_value(getattr(settings, name)), settings.origins.get(name, ""))
        for name in SCALARS
    ]
    rows += _numbered_rows(settings, "exclude", "exclude", [printable(text) for text in settings.exclude])
    rows += _numbered_rows(
        settings, "paths", "path_rules", [_shown_rule(settings, r) for r in settings.path_rules]
    )
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [
        f"{name:{first}}  {value:{second}}  {printable(origin, 300)}".rstrip() for name, value, origin in rows
    ]
    month = [MONTH_HOLDS] if settings.budget_usd_per_month is not None else []
    return "\n".join([*lines, "", _policies_sentence(settings.policies), *month]) + "\n"


def _numbered_rows(settings: Settings, name: str, key: str, values: list[str]) -> list[tuple[str, str, str]]:
    if not values:
        return [(name, "(none)", settings.origins.get(key, ""))]
    return [(name, value, settings.origins.get(f"{key}[{n}]", "")) for n, value in enumerate(values)]


def _shown_rule(settings: Settings, rule: PathRule) -> str:
    parts = []
    for name, value in (("fail_on", rule.fail_on), ("minimum_confidence", rule.minimum_confidence)):
        if value is not None:
            beaten = f" (beaten by {option_name(name)})" if name in settings.from_argv else ""
            parts.append(f"{hyphenated(name)} {shown_value(value)}{beaten}")
    return f"{printable(rule.pattern)}: {', '.join(parts)}"


def _policies_sentence(policies: tuple[str, ...]) -> str:
    if not policies:
        return "No policy file was read."
    named = ", then ".join(printable(where, 300) for where in policies)
    return f"The policy was read from {named}."
