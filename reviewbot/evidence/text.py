"""Text of a report, cut to a size that people can read, with every cut visible."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def cut(text: str, cap: int) -> str:
    """Keep the first ``cap`` characters and say how many were left out."""
    if len(text) <= cap:
        return text
    return f"{text[:cap]} [… {len(text) - cap:,} more characters cut]"


def cut_middle(text: str, cap: int) -> str:
    """Keep the head and the tail, ``cap`` characters in all, and say how many were left out between."""
    if len(text) <= cap:
        return text
    half = cap // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters cut …]\n{text[-half:]}"


def one_line(text: str, cap: int) -> str:
    """Fold all white space to single spaces and cut at ``cap`` characters."""
    return cut(" ".join(text[: 4 * cap].split()), cap)


def show_surrogates(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, with ``<U+XXXX>``."""
    return _SURROGATE.sub(lambda match: f"<U+{ord(match.group()):04X}>", text)
