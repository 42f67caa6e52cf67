"""What secrets look like in a line of text, and what only pretends to be one. Pure.

Whatever is hidden from a model is a place where code could hide, so only runs of characters that no
program can be made of are hidden: calls, substitutions, commands and addresses stay to be read.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""First column (from 0) and the one after the last."""

KEY_LINES = 400
"""Lines below a BEGIN that may belong to it where no END comes."""
LONG_LINE = 400

_SETTINGS = re.compile(
    r"(?:^|/)(?:\.env(?:rc)?(?:\.(?!example$|sample$|template$|dist$|defaults?$)[^/]*)?|[^/]+\.env"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_[^/.]*)?|\.netrc|_netrc|\.pypirc|\.npmrc|\.git-credentials|\.htpasswd"
    r"|\.dockercfg|\.pgpass|\.aws/credentials|\.docker/config\.json|[^/]+\.tfstate(?:\.backup)?"
    r"|[^/]+\.(?:pem|key|p12|pfx|p8|jks|keystore|crt|cer|der|ppk|kdbx|asc|gpg))$",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[\w\])]\(|[$#%]\{|\$\(|`|\{\{|<[%\w!/]|(?:\|\|?|;|&&)\s*[A-Za-z./]{2}|://|!!\w|=>|\s--?[A-Za-z]"
    r"|\s[~.]{0,2}/\w"
)
_ADDRESS = re.compile(r"(?:[A-Za-z0-9-]{1,40}\.)+[A-Za-z]{2,20}(?::\d+)?(?:/[\w./-]*)?")
_PATH = re.compile(r"[~.]{0,2}(?:/?[A-Za-z0-9_.-]+)?(?:/[A-Za-z0-9_.-]+)+/?")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
LONGEST_NAME = 80
_WORD = re.compile(r"[A-Z]?[a-z]{3,}")
_IDENTIFIER = re.compile(r"[A-Za-z]{1,15}(?:[_.][A-Za-z]{1,15})*")
_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_BLOCK_RUN = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_BEGIN = re.compile(
    r"-----BEGIN (?!(?:[A-Z0-9]+ )?PUBLIC KEY)[A-Z0-9 ]{1,60}-----|PuTTY-User-Key-File-\d"
    r"|BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY"
)
_END = re.compile(r"-----END |END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY")
_BODY = re.compile(
    r"[\s\"'`,;.:#*>|(\[-]*([A-Za-z0-9+/]{4,}={0,2}|=[A-Za-z0-9+/]{4})(?:\\[nr])*[\s\"'`,;.\\)\]|]*\+?\s*"
)
_EDGE = re.compile(r"\s*-----(?:BEGIN|END) [A-Z0-9 ]{1,60}-----\s*")
_ENCODED_KEY = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{26,}={0,2}")

_BEFORE_NAME = r"\s*(?:-\s+|export\s+|set\s+)?[\"']?"
_PAIR = re.compile(_BEFORE_NAME + r"([\w.:/@-]{1,100}?)[\"']?\s*=\s*(.*)")
_COLON_PAIR = re.compile(_BEFORE_NAME + r"([\w./@-]{1,100}?)[\"']?\s*:\s*(.*)")
_INNER_PAIR = re.compile(r"[\"']([\w.-]{1,100})[\"']\s*:\s*[\"']((?:[^\"'\\]|\\.){4,2000})[\"']")
_USER_INFO = re.compile(r"://[^\s/@:\"'<>]{0,100}:([^\s/@\"'<>]{1,200})@")
_SURE_NAME = re.compile(
    r"pass(?:w|phrase|\b|_|$)|pwd|secret|token|private|credential|api_?key", re.IGNORECASE
)
_NAME = re.compile(r"auth|key|salt|sign|cookie|session|cert", re.IGNORECASE)
_NO_SECRET_NAME = re.compile(
    r"(?:askpass|command|cmd|program|helper|path|file|dir|urls?|uri|hosts?|endpoint|proxy|registry|preload"
    r"|options|mode|type|public|algorithm|method|enabled|required|ttl|expiry|length)$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(?:true|false|yes|no|on|off|none|null|nil|undefined|disabled|enabled|\d{1,5}|\$\w+)?", re.I
)
_BY_NAME = (
    (re.compile(r"(?:^|/)[._]netrc$", re.I), re.compile(r"\bpassword\s+(\S+)")),
    (re.compile(r"(?:^|/)\.pgpass$", re.I), re.compile(r"^(?:[^:]*:){4}(.+)$")),
    (re.compile(r"(?:^|/)\.htpasswd$", re.I), re.compile(r"^[^:\s]*:(\S+)$")),
)


def is_settings(path: str) -> bool:
    """Whether a file is of a kind that holds secrets: environment files, credentials, keys, certificates."""
    return _SETTINGS.search(path) is not None


def looks_like_code(text: str) -> bool:
    """A call, a substitution, a command with options, an address or a path: what a reviewer must see."""
    value = text.strip().strip("\"'")
    if _CODE.search(value):
        return True
    if not (_ADDRESS.fullmatch(value) or _PATH.fullmatch(value)):
        return False
    return not any(is_random(part) for part in re.split(r"[/.]", value)) and not is_random(value)


def is_random(text: str) -> bool:
    """Whether 16 or more characters look made by a machine: mixed classes, hardly a repetition."""
    if len(text) < 16:
        return False
    digits, upper = sum(map(str.isdigit, text)), sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
    if not digits:
        return len(text) >= 20 and min(upper, lower) >= 5 and entropy >= 4 and not _is_worded(text)
    return (entropy >= 3 and 8 * digits >= len(text)) or (min(upper, lower) >= 2 and entropy >= 3.5)


def is_name(text: str) -> bool:
    """Whether a text is a word or an identifier of words, such as code is full of."""
    return _IDENTIFIER.fullmatch(text) is not None


def _is_worded(text: str) -> bool:
    """Whether most of a name is words in camel case; of letters drawn at random it is a third."""
    return len(text) <= LONGEST_NAME and 5 * sum(map(len, _WORD.findall(text))) >= 4 * len(text)


def random_runs(text: str, at: int = 0) -> Iterator[Span]:
    """The runs of a text that look random, moved by ``at`` columns."""
    for match in _RUN.finditer(text):
        if is_random(match[0]):
            yield at + match.start(), at + match.end()


def narrow(line: str, start: int, end: int) -> Iterator[Span]:
    """What may be hidden of a place that is said to hold a secret; an ``end`` below 0 is the line's.

    Of a whole line and of what looks like code only the runs that look random are hidden.
    """
    end = len(line) if end < 0 else min(end, len(line))
    text = line[start:end]
    if not text.strip():
        return
    is_whole = start == 0 and end >= len(line.rstrip())
    if is_whole and (body := _body_of(line)) and (len(line) >= 40 or is_random(line[slice(*body)])):
        yield body
    elif is_whole or looks_like_code(text):
        yield from random_runs(text, start)
    else:
        yield start, end


def _body_of(line: str) -> Span | None:
    """The base64 of a line that holds nothing else but quotes and signs of comments around it."""
    match = _BODY.fullmatch(line) if len(line) <= LONG_LINE else None
    return match.span(1) if match else None


def find_blocks(lines: Sequence[str]) -> dict[int, list[Span]]:
    """The base64 of keys and certificates, by line number from 1; the BEGIN and END lines stay.

    Between them only lines of base64 are hidden whole, so that no other text can stand there unseen.
    """
    found: dict[int, list[Span]] = {}
    left = 0
    for number, line in enumerate(lines, 1):
        if begin := _BEGIN.search(line):
            left = KEY_LINES
            end = _END.search(line, begin.end())
            stop = end.start() if end else len(line)
            spans = [match.span() for match in _BLOCK_RUN.finditer(line, begin.end(), stop)]
            left = 0 if end else left
        elif left:
            ends = _END.search(line)
            before = line[: ends.start()] if ends else line
            spans = _block_line(before, lines[number] if number < len(lines) else "-----END ")
            left = 0 if ends else left - 1
        else:
            spans = []
        spans += [match.span() for match in _ENCODED_KEY.finditer(line)]
        if spans:
            found[number] = spans
    return found


def _block_line(line: str, following: str) -> list[Span]:
    body = _body_of(line)
    if body is None:
        return [match.span() for match in _LONG_RUN.finditer(line)]
    is_last = _END.search(following) or following.lstrip().startswith("=") or line.lstrip().startswith("=")
    return [body] if body[1] - body[0] >= 40 or is_last else list(random_runs(line))


def may_hold_block(text: str) -> bool:
    """Whether ``find_blocks`` could find something; cheap."""
    return "BEGIN " in text or "PuTTY-User" in text or "LS0tLS1CRUdJTi" in text


def has_long_run(line: str) -> bool:
    """Whether a line could stand inside a key whose BEGIN is elsewhere."""
    return _LONG_RUN.search(line) is not None


def is_edge(line: str) -> bool:
    """Whether a line is a BEGIN or END of a block and nothing else."""
    return _EDGE.fullmatch(line) is not None


def find_settings(path: str, line: str) -> Iterator[Span]:
    """The values on a line of a file of settings (``is_settings``) that have the shape of a secret.

    Names, addresses, paths, switches and whatever looks like code stay to be read.
    """
    for match in _USER_INFO.finditer(line):
        yield match.span(1)
    yield from random_runs(line)
    for name, pattern in _BY_NAME:
        if name.search(path) and (told := pattern.search(line)):
            yield from _value(line, told.start(1), told.end(1))
    if pair := _PAIR.fullmatch(line) or _COLON_PAIR.fullmatch(line):
        yield from _named_value(line, pair)
    for inner in _INNER_PAIR.finditer(line):
        yield from _named_value(line, inner)


def _named_value(line: str, pair: "re.Match[str]") -> Iterator[Span]:
    name = pair[1]
    value = pair[2].strip(" \t\r,;\"'")
    sure = _SURE_NAME.search(name)
    if _NO_SECRET_NAME.search(name) or not (sure or _NAME.search(name)) or _NO_SECRET.fullmatch(value):
        return
    if not sure and value.isalpha() and value.islower() and len(value) <= 12:
        return  # `AUTH_TYPE=basic`: a word that says how, no secret
    start = line.index(value, pair.start(2))
    yield from _value(line, start, start + len(value))


def _value(line: str, start: int, end: int) -> Iterator[Span]:
    if not looks_like_code(line[start:end]):
        yield start, end
