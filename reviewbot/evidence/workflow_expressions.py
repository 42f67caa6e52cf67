"""GitHub expressions as text: how they are compared, who can write what they hold, what they keep out.

They are those of https://docs.github.com/en/actions/reference/workflows-and-actions/expressions.
"""

import re

from reviewbot.change.hunks import numbered_lines
from reviewbot.core import FileChange, Location, Side

# Each pattern looks at text in lower case, and none takes more than linear time.
_BLANKS = re.compile(r"\s+")
_EXPRESSION = re.compile(r"\$\{\{(?:(?!\$\{\{|\}\}).)*\}\}")
_INDEX = re.compile(r" ?\[ ?'([\w-]+)' ?\]")
_OUTSIDER = re.compile(
    r"github\.head_ref|github\.event\.(?:pages|commits)\b|github\.event\."
    r"(?:issue|pull_request|comment|review|discussion|head_commit|workflow_run|changes)\.[\w.*-]{0,100}?"
    r"(?:\b(?:title|body|message|page_name|display_title|head_branch|email)\b|\bhead\.(?:ref|label)\b"
    r"|\bhead\.repo\.(?:default_branch|description|homepage)\b|\b(?:author|committer)\.name\b)"
    r"|tojson\(github(?:\.event)?(?:\.(?:pull_request|issue|comment|discussion|review))?\)"
)
_OF_WRITERS = re.compile(
    r"github\.(?:ref|ref_name|base_ref|event\.ref|event\.inputs\..+|event\.pull_request\.base\.ref)"
)
_GUARD = re.compile(
    r"github\.event\.workflow_run\.event=='push'"
    r"|github\.event_name=='(?!pull_request_target|workflow_run|issue_comment)\w+'"
    r"|github\.event\.(?:workflow_run\.head_repository|pull_request\.head\.repo)\.full_name==github\.repository"
    r"|github\.repository==github\.event\.(?:workflow_run\.head_repository|pull_request\.head\.repo)\.full_name"
)
_CALL = re.compile(r"\b[a-z]{1,20}\(\)")
_CHOICE = re.compile(r"\([^()]*\|\|[^()]*\)")
_IF = re.compile(r"\bif[\"']?\s*:")


def fold_expressions(text: str) -> str:
    """Lower case, single blanks, none inside ``${{ }}``, and ``a['b']`` as ``a.b``."""
    text = _EXPRESSION.sub(lambda found: found[0].replace(" ", ""), _BLANKS.sub(" ", text.lower()))
    return _INDEX.sub(r".\1", text)


def fold_context(text: str) -> str:
    """A bare expression, as between ``${{`` and ``}}``, without blanks, and ``a['b']`` as ``a.b``."""
    return _INDEX.sub(r".\1", _BLANKS.sub("", text.lower()))


def is_outsiders(text: str) -> bool:
    """Whether an expression holds text that anyone with an account can write."""
    return bool(_OUTSIDER.search(fold_context(text)))


def is_writers(context: str) -> bool:
    """Whether a context holds text that only people with write access can choose."""
    return bool(_OF_WRITERS.fullmatch(fold_context(context)))


def is_guard(condition: str) -> bool:
    """Whether an ``if:``, as YAML gives it, is false for every outsider.

    One term of its outermost ``&&`` must say so. Text outside a ``${{ }}``, a line feed too, makes a
    condition a string, which is always true. What is too intricate to be sure is no guard.
    """
    if len(condition) > 2000:
        return False
    if "${{" in condition:
        if not condition.startswith("${{") or not condition.endswith("}}"):
            return False
        condition = condition[3:-2]
    text = fold_context(condition)
    literals = re.findall(r"'([^']*)'", text)
    if "${{" in text or "}}" in text or any(re.search(r"[^\w./-]", literal) for literal in literals):
        return False
    text = _CHOICE.sub("0", _CALL.sub("0", text))
    terms = text.split("&&")
    if "||" in text or re.search(r"[()\[\]]", text) or any(term.count("'") % 2 for term in terms):
        return False
    return any(_GUARD.fullmatch(term) for term in terms)


def find_deleted_conditions(change: FileChange) -> list[Location]:
    """Base lines of the change that held an ``if:``, or part of one that keeps outsiders out."""
    found: list[Location] = []
    for line in (line for hunk in change.hunks for line in numbered_lines(hunk)):
        if line.sign == "-" and (_IF.search(line.text) or _GUARD.search(fold_context(line.text))):
            found.append(Location(change.path, line.base, line.base, Side.LEFT))
    return found
