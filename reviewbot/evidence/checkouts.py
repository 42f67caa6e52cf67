"""Workflows as YAML: which steps bring in a pull request's code, who may start them, what ``env`` holds.

Imported only where there is something to judge, because PyYAML costs 0.03 s of CPU. Expressions are those
of https://docs.github.com/en/actions/reference/workflows-and-actions/expressions. All lines count from 1.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

MAXIMUM_CHARACTERS = 256 * 1024
MAXIMUM_DEPTH = 60
MAXIMUM_ALIASES = 20
Workflow = yaml.Node
"""The root of a workflow or an action."""

# Each pattern looks at text with single blanks, in lower case, and none takes more than linear time.
_BLANKS = re.compile(r"\s+")
_EXPRESSION = re.compile(r"\$\{\{(?:(?!\$\{\{|\}\}).)*\}\}")
_INDEX = re.compile(r" ?\[ ?'([\w-]+)' ?\]")
_HEAD = re.compile(
    r"pull_request\.(?:head\b|merge_commit_sha)|github\.head_ref|\bgithub_head_ref\b"
    r"|workflow_run\.(?:head_sha|head_branch|head_commit|head_repository|pull_requests)"
    r"|\bhead\.(?:sha|ref|repo|label)\b|\bheadref(?:name|oid)|\bheadrepository|\bgh pr diff\b"
    r"|\brefs/pull/|\bpull/[$%]|\bpull/[^\s/]{1,100}/(?:head|merge)\b"
)
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
_TOKEN = r"(?:\"[^\"]{0,200}\"|'[^']{0,200}'|[^\s\"']\S{0,200})"  # noqa: S105 - a word of a command line
_GIT = re.compile(
    rf"\bgit(?:\.exe)?(?: (?:-c|--git-dir|--work-tree) {_TOKEN}| --?[\w-]+(?:=\S{{0,200}})?){{0,6}} "
    r"(?:fetch|pull|clone|checkout|switch|merge|worktree|reset|restore|rebase|cherry-pick|apply|am"
    r"|remote add|remote set-url|submodule)(?![\w-])"
)
_GH_CHECKOUT = re.compile(r"\bgh pr (?:-r \S{1,200} |--repo[ =]\S{1,200} )?(?:checkout|co)\b")
_DOWNLOAD = re.compile(r"\b(?:curl|wget|iwr|invoke-webrequest|gh api|gh repo clone)\b")
_ARCHIVE = re.compile(r"\barchive\b|\btarball\b|\bzipball\b|\bcodeload\b|\bgh repo clone\b")
_NAMES = re.compile(r"\$(?:\{env:|env:|\{)?(\w+)|%(\w+)%|\benv\.(\w+)")
_ASSIGNED = re.compile(r"\b(\w+) ?=(?!=)|\bread (?:-\w+ )?(\w+)")
_COMPUTED = re.compile(r"\b(?:steps|needs)\.|\[")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")
_CHECKOUT_LINE = re.compile(r"(?:^|[\s{,\"'-])(?:ref|repository)[\"']? ?:")
_GUARD = re.compile(
    r"github\.event\.workflow_run\.event=='push'"
    r"|github\.event_name=='(?!pull_request_target|workflow_run|issue_comment)\w+'"
    r"|github\.event\.(?:workflow_run\.head_repository|pull_request\.head\.repo)\.full_name==github\.repository"
    r"|github\.repository==github\.event\.(?:workflow_run\.head_repository|pull_request\.head\.repo)\.full_name"
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """Lines that bring the pull request's code into a run.

    ``certain`` is False for a guess (the revision is computed elsewhere); ``guarded`` tells that an
    ``if:`` keeps outsiders out; ``origins`` are the lines of the ``env`` values that name the revision.
    """

    first: int
    last: int
    certain: bool = True
    guarded: bool = False
    origins: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    line: int


class _Composer(yaml.SafeLoader):
    """PyYAML's composer, bounded in depth and aliases."""

    depth = 0
    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.aliases += self.check_event(yaml.AliasEvent)
        if self.depth > MAXIMUM_DEPTH or self.aliases > MAXIMUM_ALIASES:
            raise ValueError("it is nested too deep or has too many aliases")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse_workflow(text: str) -> Workflow:
    """The root of a workflow or action, whose lines end in line feeds only.

    Raises ValueError, whose message is a clause, for what is too large, too deep or not YAML.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise ValueError(f"it has more than {MAXIMUM_CHARACTERS} characters")
    try:
        root = _Composer(yaml.reader.Reader.NON_PRINTABLE.sub("?", text)).get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line} is not YAML: {error.problem}") from None
    except (yaml.YAMLError, OverflowError, RecursionError) as error:
        raise ValueError(f"it is not YAML ({type(error).__name__})") from None
    if root is None:
        raise ValueError("it is empty")
    return root


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


def find_triggers(root: Workflow) -> dict[str, int]:
    """The names under ``on``, each with its line."""
    on = _get(root, "on")
    if isinstance(on, yaml.ScalarNode):
        return {on.value: _first(on)}
    if isinstance(on, yaml.SequenceNode):
        return {item.value: _first(item) for item in on.value if isinstance(item, yaml.ScalarNode)}
    return {name: _first(key) for name, key, _ in _entries(on)}


def find_env(root: Workflow, route: Sequence[object], name: str) -> tuple[str, int] | None:
    """The value of ``env.NAME`` at a route such as ``("jobs", "test", "steps", 0)``, and its line."""
    node: yaml.Node | None = root
    found = _env(root).get(name.lower())
    for step in route:
        if isinstance(step, int):
            items = node.value if isinstance(node, yaml.SequenceNode) else ()
            node = items[step] if step < len(items) else None
        else:
            node = _get(node, str(step))
        found = _env(node).get(name.lower(), found)
    return (found.text, found.line) if found else None


def find_checkouts(root: Workflow) -> tuple[Checkout, ...]:
    """Every place of a workflow that brings the pull request's head, or its merge, into a run."""
    found: list[Checkout] = []
    for _, _, job in _entries(_get(root, "jobs")):
        guards = [_text(_get(job, "if"))]
        knows_head = _speaks_of_head((root, "env"), (job, "env"), (job, "steps"))
        wide = _Tainted(_speaks_of_head((job, "strategy")), knows_head).within(_env(root)).within(_env(job))
        found += _of_inputs(job, wide, guards)
        steps = _get(job, "steps")
        for step in steps.value if isinstance(steps, yaml.SequenceNode) else ():
            tainted = wide.within(_env(step))
            within = [*guards, _text(_get(step, "if"))]
            found += (*_of_inputs(step, tainted, within), *_of_script(_get(step, "run"), tainted, within))
    return tuple(dict.fromkeys(found))


def find_checkout_lines(text: str) -> tuple[Checkout, ...]:
    """The same from the text alone, for a file that is no YAML for us: it knows no ``env``, no ``if``."""
    lines = text.split("\n")
    commands = _judge_script(_logical_lines(lines, 1), _Tainted(False, False), guarded=False)
    named = (
        Checkout(first, last)
        for first, last, line in _logical_lines(lines, 1)
        if _CHECKOUT_LINE.search(line) and _HEAD.search(line)
    )
    return tuple(dict.fromkeys((*named, *commands)))


def is_guard(condition: str) -> bool:
    """Whether an ``if:`` is false for every outsider: one term of its outermost ``&&`` says so."""
    text = fold_context(condition).removeprefix("${{").removesuffix("}}")
    if len(text) > 2000:
        return False
    text = re.sub(r"\([^()]*\|\|[^()]*\)", "0", re.sub(r"\b[a-z]{1,20}\(\)", "0", text))
    terms = text.split("&&")
    if "||" in text or "!(" in text or any(term.count("'") % 2 for term in terms):
        return False
    return any(_GUARD.fullmatch(term) for term in terms)


class _Tainted:
    """The names that stand for a head of a pull request."""

    def __init__(self, matrix: bool, knows_head: bool) -> None:
        self.matrix, self.knows_head = matrix, knows_head
        self.names: dict[str, tuple[int, ...]] = {}

    def within(self, env: Mapping[str, _Value]) -> "_Tainted":
        """The same in a narrower place with its own ``env``."""
        if not env:
            return self
        inner = _Tainted(self.matrix, self.knows_head)
        folded = {name: fold_expressions(value.text) for name, value in env.items()}
        inner.names = dict(self.names)
        told = {
            name: origins for name, text in folded.items() if (origins := inner.origins(text)) is not None
        }
        for name in env:
            inner.names.pop(name, None)
        inner.names.update((name, (env[name].line, *origins)) for name, origins in told.items())
        for name, text in folded.items():  # a value may name another one of the same env
            if name not in told and (origins := inner.origins(text)) is not None:
                inner.names[name] = (env[name].line, *origins)
        return inner

    def origins(self, text: str) -> tuple[int, ...] | None:
        """The lines of env that a folded text takes the head from (none: it names it itself), or None."""
        named = [self.names[name] for name in _names(text) if name in self.names]
        if named:
            return tuple(sorted({line for lines in named for line in lines}))
        return () if _HEAD.search(text) or (self.matrix and "matrix." in text) else None


def _of_inputs(step: yaml.Node, tainted: _Tainted, guards: Iterable[str]) -> Iterator[Checkout]:
    guarded = any(map(is_guard, guards))
    for name, key, value in _entries(_get(step, "with")) if _get(step, "uses") else ():
        if name.lower() not in ("ref", "repository"):
            continue
        text = fold_expressions(_text(value))
        origins = tainted.origins(text)
        computed = _COMPUTED.search(text) or (tainted.knows_head and _NAMES.search(text))
        if origins is not None or ("${{" in text and computed):
            yield Checkout(
                _first(key), max(_first(key), _last(value)), origins is not None, guarded, origins or ()
            )


def _of_script(node: yaml.Node | None, tainted: _Tainted, guards: Iterable[str]) -> Iterator[Checkout]:
    if not isinstance(node, yaml.ScalarNode):
        return
    rows = node.value.split("\n")
    first, last = _first(node), _last(node)
    if node.style == "|":
        lines = _logical_lines(rows, first + 1)
    else:  # folded: a line of the value is not a line of the file
        lines = [(first, last, line) for _, _, line in _logical_lines(rows, 1)]
    yield from _judge_script(lines, tainted, guarded=any(map(is_guard, guards)))


def _judge_script(
    lines: Sequence[tuple[int, int, str]], tainted: _Tainted, *, guarded: bool
) -> Iterator[Checkout]:
    local: dict[str, tuple[int, ...]] = dict(tainted.names)
    guesses: list[Checkout] = []
    knows_head = False
    for first, last, line in lines:
        origins = tainted.origins(line)
        named = [local[name] for name in _names(line) if name in local]
        linked = tuple(sorted({*(origins or ()), *(number for numbers in named for number in numbers)}))
        has_head = origins is not None or bool(named)
        if has_head:
            local.update((name, linked) for pair in _ASSIGNED.findall(line) for name in pair if name)
        knows_head = knows_head or has_head
        downloads = _DOWNLOAD.search(line) and _ARCHIVE.search(line)
        if _GH_CHECKOUT.search(line) or (has_head and (_GIT.search(line) or downloads)):
            yield Checkout(first, last, True, guarded, linked)
        elif "$" in line and (_GIT.search(line) or downloads):
            guesses.append(Checkout(first, last, False, guarded))
    if knows_head:
        yield from guesses


def _logical_lines(rows: Sequence[str], number: int) -> list[tuple[int, int, str]]:
    """First line, last line and folded text of each command line, without comments."""
    found: list[tuple[int, int, str]] = []
    held: list[str] = []
    for last, row in enumerate(rows, number):
        text = _without_comment(row).rstrip()
        goes_on = text.endswith("\\") or (text.endswith("`") and text.count("`") % 2 == 1)
        held.append(text[:-1] if goes_on else text)
        if not goes_on or last == number + len(rows) - 1:
            found.append((last - len(held) + 1, last, fold_expressions(" ".join(held))))
            held = []
    return found


def _without_comment(row: str) -> str:
    """Up to the first ``#`` that begins a word outside quotes; where quotes do not pair up, all of it."""
    doubles = singles = at = 0
    for found in _COMMENT.finditer(row):
        doubles += row.count('"', at, found.start())
        singles += row.count("'", at, found.start())
        at = found.start()
        if doubles % 2 == 0 and singles % 2 == 0:
            return row[:at]
    return row


def _names(line: str) -> Iterator[str]:
    return (name for names in _NAMES.findall(line) for name in names if name)


def _speaks_of_head(*places: tuple[yaml.Node, str]) -> bool:
    return any(
        _HEAD.search(fold_expressions(text)) for node, key in places for text in _scalars(_get(node, key))
    )


def _scalars(root: yaml.Node | None) -> Iterator[str]:
    waiting: list[yaml.Node | None] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node.value
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += (value for _, value in node.value)


def _entries(node: yaml.Node | None) -> list[tuple[str, yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _get(node: yaml.Node | None, wanted: str) -> yaml.Node | None:
    return next((value for name, _, value in _entries(node) if name == wanted), None)


def _env(node: yaml.Node | None) -> dict[str, _Value]:
    return {
        name.lower(): _Value(_text(value), _first(key)) for name, key, value in _entries(_get(node, "env"))
    }


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _first(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _last(node: yaml.Node) -> int:
    """A block scalar's end mark stands at the beginning of the line after it."""
    return max(node.end_mark.line + (node.end_mark.column > 0), _first(node))
