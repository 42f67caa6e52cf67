"""The one sanitiser for every sink: what others wrote, made harmless and shown as it is.

All functions are pure and total: any ``str`` goes in, lone surrogates included. Hidden characters
come out as ``<U+XXXX>`` (Unicode Technical Report 36 and CVE-2021-42574 say why). Prose for
Markdown keeps its words; a word that could mean anything to Markdown, to GitHub or to GitLab (a
link, a mention, a reference, a command, a shortcode) is set as code, where none of them looks.
"""

import re

_ZWJ = "\u200d"
_VARIATION = "\ufe0e\ufe0f"
_TAGS = "\U000e0020-\U000e007f"
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_ONE_EMOJI = f"{_PICTURE}[\U0001f3fb-\U0001f3ff]?[{_VARIATION}]?"
# The three flags of regions that vendors draw; any other run of tags could carry a message.
_FLAG = "\U0001f3f4(?:" + "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls")
) + ")\U000e007f"  # fmt: skip
_EMOJI = f"{_FLAG}|[0-9#*]\ufe0f?\u20e3|{_ONE_EMOJI}(?:{_ZWJ}{_ONE_EMOJI})*"

# Controls, format characters (Cf), separators (Zl, Zp), surrogates (Cs), variation selectors, and
# the rest of Default_Ignorable_Code_Point. tests/publish/test_sanitize.py compares with unicodedata.
_HIDDEN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2"
    "\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_EMOJI_OR_HIDDEN = re.compile(f"({_EMOJI})|{_HIDDEN}")


def visible(text: str) -> str:
    r"""Show every hidden character as ``<U+XXXX>``; line feeds, tabs, emoji and all letters stay.

    A CRLF line end becomes a line feed; a lone carriage return is shown.
    """
    if text.isascii() and text.isprintable():
        return text
    return _EMOJI_OR_HIDDEN.sub(lambda m: m[1] or f"<U+{ord(m[0]):04X}>", text.replace("\r\n", "\n"))


def shorten(text: str, limit: int) -> str:
    """Visible text of at most ``limit`` characters; what was cut shows as an ellipsis."""
    shown = visible(text)
    if len(shown) <= limit:
        return shown
    # What joins or varies an emoji must not be left without it.
    return re.sub(f"[{_ZWJ}{_VARIATION}{_TAGS}]+$", "", shown[: limit - 1]).rstrip() + "…"


def one_line(text: str, limit: int) -> str:
    """Visible text on one line: all white space folded, at most ``limit`` characters."""
    return shorten(" ".join(visible(text).split()), limit)


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
        return before + markdown_code(core[1:-1]) + _escape(after)
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
    shown = visible(text).replace("\n", "<U+000A>").replace("\t", "<U+0009>")
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


# https://github.com/actions/runner, ActionCommand.cs: `::name::` counts at the start of a line,
# blanks before it do not matter; `##[name]` counts anywhere. Colours may stand before either.
_COMMAND_AT_START = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*)::", re.MULTILINE)


def terminal_text(text: str) -> str:
    """Visible text that neither drives a terminal nor gives commands to a workflow runner."""
    return without_runner_commands(visible(text))


def without_runner_commands(printed: str) -> str:
    """Finished output, colours and all, in which no line is a command to a workflow runner.

    Wrapping can bring any word to the start of a line, so whoever wraps calls this last.
    """
    return _COMMAND_AT_START.sub(r"\1<U+003A>:", printed).replace("##[", "##<U+005B>")
