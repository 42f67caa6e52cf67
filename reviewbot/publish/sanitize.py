"""The one sanitiser for every sink: what others wrote, made harmless and shown as it is.

All functions are pure and total: any ``str`` goes in, lone surrogates included. Hidden characters
are shown by ``reviewbot.text``, whose names are to be had from here, too. Prose for Markdown keeps
its words; a word that could mean anything to Markdown, to GitHub or to GitLab (a link, a mention, a
reference, a command, a shortcode) is set as code, where none of them looks.
"""

import re

from reviewbot.text import one_line, shorten, visible, visible_line, without_runner_commands

__all__ = [
    "markdown_code",
    "markdown_fence",
    "markdown_text",
    "one_line",
    "shorten",
    "terminal_text",
    "visible",
    "without_runner_commands",
]

_WORD_OR_CODE = re.compile(r"""(?<!\S)[("'\[]*`[^`\n]+`[)"'\].,;:!?]*(?!\S)|\S+""")
_BEFORE, _AFTER = "(\"'[", ")\"'].,;:!?"
_LETTERS = r"(?:[A-Za-z0-9]|[^\x00-\x7f])+"
_PLAIN_WORD = re.compile(rf"{_LETTERS}(?:['/-]{_LETTERS})*|\d+(?:\.\d+)+%?|\d+%")
# Commit ids, and ids such as GH-12 that GitHub or a repository's own rules turn into links.
_LINKED_PART = re.compile(r"[0-9a-fA-F]{7}|[A-Za-z]-\d")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def markdown_text(text: str) -> str:
    """Prose that renders as the same words, whatever they are: no markup, no link, no mention.

    Code between back-ticks stays code. Line breaks and paragraphs stay, indentation does not.
    """
    lines = (_WORD_OR_CODE.findall(line) for line in visible(text).strip().split("\n"))
    return "\n".join(" ".join(_markdown_word(word, n == 0) for n, word in enumerate(line)) for line in lines)


def _markdown_word(word: str, starts_line: bool) -> str:
    opened = word.lstrip(_BEFORE)
    core = opened.rstrip(_AFTER)
    before, after = _escape(word[: len(word) - len(opened)]), opened[len(core) :]
    if len(core) > 2 and core[0] == core[-1] == "`" and "`" not in core[1:-1]:
        return before + markdown_code(core[1:-1].replace("\t", " ")) + _escape(after)
    is_plain = _PLAIN_WORD.fullmatch(core) and not _LINKED_PART.search(core)
    if any(c.isalnum() or c > "\x7f" for c in core) and not is_plain:
        return before + markdown_code(core) + _escape(after)
    if starts_line and (core.isdigit() or not is_plain):
        # "1." and "-" would open a list, "#" a heading, ">" a quotation.
        return _PUNCTUATION.sub(r"\\\1", word)
    return _escape(word)


def _escape(text: str) -> str:
    """Back-slash what Markdown reads within a line."""
    return re.sub(r"([#$&*<@\[-`{-~])", r"\\\1", text)


def markdown_code(text: str) -> str:
    """A path or a piece of code, exactly, as inline code; safe in prose, in a table and after ``- ``.

    https://spec.commonmark.org/0.31.2/#code-spans: back-ticks around it outnumber those inside. A
    pipe would end the cell of a table, so text with one is written as entities.
    """
    shown = visible_line(text)
    if "|" in shown:
        return "<code>" + _PUNCTUATION.sub(lambda m: f"&#{ord(m[0])};", shown) + "</code>"
    if not shown.strip(" "):  # blanks alone stay as they are, and nothing at all is no code span
        return f"`{shown or ' '}`"
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or (shown[0] == shown[-1] == " ") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


# GitHub draws some languages instead of showing them, and turns `suggestion` into a button that commits.
_LANGUAGE = re.compile(r"(?!(?:mermaid|math|suggestion|geojson|topojson|stl)$)[a-z0-9+#-]{1,20}")


def markdown_fence(text: str, language: str = "") -> str:
    """A fenced block of code that nothing inside can close, with its final line feed."""
    shown = visible(text).rstrip("\n")
    ticks = "`" * max(3, _longest_run(shown) + 1)
    return f"{ticks}{language if _LANGUAGE.fullmatch(language) else 'text'}\n{shown}\n{ticks}\n"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def terminal_text(text: str) -> str:
    """Visible text that neither drives a terminal nor gives commands to a workflow runner."""
    return without_runner_commands(visible(text))
