"""What the tools say of themselves and which arguments they take: one table for the API and for the check."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewbot.hooks import Risk
from reviewbot.text import one_line

LINES = 200
LINES_CAP = 400
LISTED = 300
HITS = 60
PATTERN_CHARACTERS = 200

_INTEGER = {"type": "integer"}
_STRING = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the API wants it; ``optional`` arguments have a default."""

    risk: Risk
    description: str
    arguments: Mapping[str, dict[str, Any]]
    optional: Mapping[str, object]


TOOLS = {
    "read_file": Tool(
        "medium",
        "Read lines of one file at the head commit (after the change) or the base commit (before it). "
        f"Gives {LINES} lines unless max_lines asks for fewer or more (at most {LINES_CAP}) and says how to "
        "go on. Lines come without numbers, so they can be quoted as they are. Any file of either commit can "
        "be read, also one that the change leaves alone. ******** hides a secret; a quote keeps it.",
        {
            "path": {**_STRING, "description": "Path from the root of the repository, as search prints it."},
            "side": {**_STRING, "enum": ["head", "base"], "description": "Which commit; head unless given."},
            "start_line": {**_INTEGER, "description": "First line, from 1; 1 unless given."},
            "max_lines": _INTEGER,
        },
        {"side": "head", "start_line": 1, "max_lines": LINES},
    ),
    "list_files": Tool(
        "low",
        f"List the files of the head commit whose path begins with a prefix, at most {LISTED}; where there "
        "are more, folders with their number of files. An empty prefix lists the root.",
        {"prefix": {**_STRING, "description": "Such as `src/` or `src/app/test_`."}},
        {},
    ),
    "search": Tool(
        "medium",
        "Find lines in the files of the head or base commit: definitions, callers, the check that a sibling "
        f"has. Prints path:line: text, at most {HITS} lines. The text is taken literally, with case; with "
        "regex true it is a POSIX extended regular expression without back-references.",
        {
            "text": {**_STRING, "description": "One line of text, or the expression."},
            "regex": {"type": "boolean"},
            "path": {**_STRING, "description": "A file or folder to search in; everywhere unless given."},
            "side": {**_STRING, "enum": ["head", "base"]},
        },
        {"regex": False, "path": "", "side": "head"},
    ),
    "show_diff": Tool(
        "low",
        "Show what the change does to one file, as in the request: for files that the request only lists, or "
        "of which it shows a part. Says how to go on where it is long.",
        {
            "path": {**_STRING, "description": "A path of the list of changed files."},
            "start_line": {**_INTEGER, "description": "First line of the diff itself; 1 unless given."},
        },
        {"start_line": 1},
    ),
}
_TYPES = {"string": str, "integer": int, "boolean": bool}


def risk_of(name: str) -> Risk:
    """The risk class of a tool; what is unknown has the highest."""
    return TOOLS[name].risk if name in TOOLS else "high"


def define(name: str) -> dict[str, Any]:
    """A tool as the API wants it, strict, with its bytes always the same."""
    tool = TOOLS[name]
    return {
        "name": name,
        "description": tool.description,
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {key: dict(value) for key, value in tool.arguments.items()},
            "required": [key for key in tool.arguments if key not in tool.optional],
            "additionalProperties": False,
        },
    }


def check_arguments(tool: Tool, arguments: object) -> dict[str, Any] | str:
    """The arguments with the defaults filled in, or a sentence about what is wrong with them."""
    if not isinstance(arguments, Mapping):
        return "The arguments must be an object."
    unknown = [str(key) for key in arguments if key not in tool.arguments]
    if unknown:
        return f"There is no argument {one_line(unknown[0], 60)}; there are {', '.join(tool.arguments)}."
    values = {**tool.optional, **{key: value for key, value in arguments.items() if value is not None}}
    for key, rule in tool.arguments.items():
        if key not in values:
            return f"The argument {key} is missing."
        value = values[key]
        if not isinstance(value, _TYPES[rule["type"]]) or (
            rule["type"] == "integer" and isinstance(value, bool)
        ):
            return f"The argument {key} must be of type {rule['type']}."
        if "enum" in rule and value not in rule["enum"]:
            return f"The argument {key} must be one of: {', '.join(rule['enum'])}."
    return values


def pattern_fault(text: str, *, regex: bool) -> str:
    """Why a text is not searched for, or nothing.

    git's engine takes time and memory for back-references and for counted repetition.
    """
    if not text.strip() or len(text) > PATTERN_CHARACTERS or any(char in text for char in "\n\r\0"):
        return f"The text must be one line of 1 to {PATTERN_CHARACTERS} characters."
    if regex and re.search(r"\\[0-9]", text):
        return "Back-references are not allowed in a regular expression."
    if regex and (text.count("{") > 1 or re.search(r"\{[^}]*\d{3}", text)):
        return "A regular expression may hold one counted repetition, of at most 99."
    return ""
