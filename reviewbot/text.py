"""Text that is shown: hidden characters made visible, cut to a size that people can read.

Pure and total: any ``str`` goes in, lone surrogates included. Hidden characters come out as
``<U+XXXX>`` (Unicode Technical Report 36 and CVE-2021-42574 say why), and every cut is seen.
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


def visible_line(text: str) -> str:
    """Visible text on one line without any folding, for paths and values: line feeds and tabs are shown."""
    return visible(text).replace("\n", "<U+000A>").replace("\t", "<U+0009>")


def shorten(text: str, limit: int) -> str:
    """Visible text of at most ``limit`` characters; what was cut shows as an ellipsis."""
    # Two characters become at least one, so nothing past this can be seen: a giant text costs nothing.
    shown = visible(text[: 2 * limit + 16])
    if len(shown) <= limit:
        return shown
    # What joins or varies an emoji must not be left without it.
    return re.sub(f"[{_ZWJ}{_VARIATION}{_TAGS}]+$", "", shown[: limit - 1]).rstrip() + "…"


def one_line(text: str, limit: int) -> str:
    """Visible text on one line: all white space folded, at most ``limit`` characters.

    Of a text far longer than ``limit`` only the start is read, and an ellipsis says so.
    """
    start = text[: 8 * limit + 16]
    return shorten(" ".join(visible(start).split()) + "…" * (len(text) > len(start)), limit)


def printable(text: str, limit: int = 80) -> str:
    """The first ``limit`` characters of a value on one line, each as itself or as ``<U+XXXX>``.

    Stricter than ``visible``: a no-break space or a private character in a pattern is shown, too, and
    emoji are taken apart.
    """
    start = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else f"<U+{ord(char):04X}>" for char in start)


def cut(text: str, cap: int) -> str:
    """Keep the first ``cap`` characters, as they are, and say how many were left out."""
    if len(text) <= cap:
        return text
    return f"{text[:cap]} [… {len(text) - cap:,} more characters cut]"


def cut_middle(text: str, cap: int) -> str:
    """Keep the head and the tail, ``cap`` characters in all, and say how many were left out between."""
    if len(text) <= cap:
        return text
    half = cap // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters cut …]\n{text[-half:]}"


def show_surrogates(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, with ``<U+XXXX>``; all else stays as it is."""
    return re.sub("[\ud800-\udfff]", lambda match: f"<U+{ord(match.group()):04X}>", text)


# https://github.com/actions/runner, ActionCommand.cs: `::name::` counts at the start of a line,
# blanks before it do not matter; `##[name]` counts anywhere. Colours may stand before either.
_COMMAND_AT_START = re.compile(r"^((?:[^\S\n]|\x1b\[[0-9;]*m)*)::", re.MULTILINE)


def without_runner_commands(printed: str) -> str:
    """Finished output, colours and all, in which no line is a command to a workflow runner.

    Wrapping can bring any word to the start of a line, so whoever wraps calls this last.
    """
    return _COMMAND_AT_START.sub(r"\1<U+003A>:", printed).replace("##[", "##<U+005B>")


def dollars(usd: float) -> str:
    """An amount of money: cents, and more places where cents would not be the whole truth."""
    return f"${usd:.2f}" if usd == round(usd, 2) else f"${usd:.6f}".rstrip("0")
