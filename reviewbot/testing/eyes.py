"""What the reading double knows of danger: constructs that often go wrong, in a handful of languages.

A small generic list, good enough to find faults that a test plants. It is no analyzer and knows of no test.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

LINE_CHARACTERS = 1_000
"""So much of a line is looked at."""

OUTSIDE = r"(?:request|req\b|params|query|argv|\bargs|input|user|form|body|payload|file_?name|upload)"
"""Names of values that come from outside."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A construct: the words that name its rule (best first), how bad it is, how it looks.

    ``suffixes``: the only files it counts in; empty for all.
    """

    words: tuple[str, ...]
    severity: str
    says: str
    pattern: re.Pattern[str]
    suffixes: tuple[str, ...] = ()


def _sign(words: str, severity: str, says: str, pattern: str, suffixes: str = "") -> Sign:
    return Sign(tuple(words.split()), severity, says, re.compile(pattern), tuple(suffixes.split()))


# No quote inside: what may repeat is then bounded by the quoted text, and long lines stay cheap.
_IN = r"[^\"'`]{1,200}"
_SQL = rf"(?i:select\s{_IN}\sfrom|insert\s+into|update\s{_IN}\sset|delete\s+from)\b"
_BUILT = r"(?:[\"'`]\s*\.?\+|[\"']\s*%\s*\(?\w|\$\{|\{[\w.\[\]]+\}|\.format\(|#\{|[\"']\s*\.\s*\$|%[sv])"
_NOT_LITERAL = r"(?!\s*(?:[\"'][^\"'+%{$]*[\"'])\s*[,)])(?!\s*\))"

SIGNS = (
    _sign("command shell injection", "high", "a shell reads the command", r"\bshell\s*=\s*True"),
    _sign(
        "command shell injection",
        "high",
        "a shell reads the command",
        rf"\bos\.(?:system|popen)\({_NOT_LITERAL}",
    ),
    _sign(
        "command shell injection",
        "high",
        "a shell is started with a command as text",
        r"(?:exec\.Command(?:Context)?\(|ProcessBuilder\(|spawn(?:Sync)?\().*[\"'](?:/bin/)?(?:ba)?sh[\"']",
    ),
    _sign(
        "command shell injection",
        "high",
        "a command line is run by a shell",
        rf"(?:child_process[\"')]*\.|\bcp\.|(?<![.\w]))exec(?:Sync)?\({_NOT_LITERAL}",
        ".js .jsx .ts .tsx .mjs .cjs",
    ),
    _sign("command shell injection", "high", "a command line is built and run", r"getRuntime\(\)\s*\.exec\("),
    _sign(
        "command shell injection",
        "high",
        "a command line is built and run",
        r"\b(?:system|shell_exec|passthru|popen)\s*\(?\s*(?:\$|[\"'`].*#\{|[a-z_]+\s*\))",
        ".php .rb .c .cc .cpp",
    ),
    _sign(
        "code eval injection",
        "high",
        "text is run as code",
        rf"(?<![.\w])eval\({_NOT_LITERAL}|\bnew Function\(",
    ),
    _sign("code exec injection", "high", "text is run as code", rf"(?<![.\w])exec\({_NOT_LITERAL}", ".py"),
    _sign(
        "deserialization",
        "high",
        "foreign bytes build objects",
        r"\b(?:c?[pP]ickle|marshal|dill|shelve|jsonpickle)\.(?:loads?|open|decode)\(|\byaml\.(?:unsafe_)?load\((?!.*Safe)"
        r"|\bObjectInputStream\(|\.readObject\(|\bunserialize\(|\bMarshal\.load|\bBinaryFormatter\(",
    ),
    _sign(
        "sql injection",
        "high",
        "a value becomes part of the query",
        rf"[\"'`][^\"'`]{{0,60}}{_SQL}.{{0,200}}?{_BUILT}",
    ),
    _sign(
        "cross-site xss scripting html",
        "high",
        "a value reaches the page unescaped",
        r"\.(?:inner|outer)HTML\s*\+?=(?!=)|dangerouslySetInnerHTML|\bdocument\.write\(|\bv-html=|\|\s*safe\b"
        r"|\bmark_safe\(|\bMarkup\((?![\"'])|\btemplate\.HTML\(|\.html_safe\b",
    ),
    _sign(
        "template injection",
        "high",
        "a value becomes the template",
        rf"\brender_template_string\({_NOT_LITERAL}",
    ),
    _sign(
        "certificate tls verify",
        "high",
        "the peer's certificate is not checked",
        r"\bverify\s*=\s*False|InsecureSkipVerify:\s*true|rejectUnauthorized:\s*false|\bCERT_NONE\b"
        r"|_create_unverified_context|check_hostname\s*=\s*False|CURLOPT_SSL_VERIFYPEER,\s*(?:0|false)",
    ),
    _sign(
        "secret credential password",
        "high",
        "a credential stands in the code",
        r"(?i)\b\w*(?:password|passwd|secret|api_?key|access_?token)\w*[\"']?\s*(?::=|[:=])\s*"
        r"[\"'](?!.*(?:\$\{|\{\{|example|changeme|placeholder|<))[^\"'\s]{8,}[\"']",
    ),
    _sign(
        "path traversal file",
        "high",
        "a name from outside chooses the file",
        rf"(?:\bopen|readFile(?:Sync)?|sendFile|send_file|path\.join|filepath\.Join|os\.Open|ReadFile"
        rf"|new File|Paths\.get|FileInputStream|createReadStream|file_get_contents)\(.*{OUTSIDE}",
    ),
    _sign("path traversal", "high", "an archive chooses where it is unpacked", r"\.extractall\((?!.*filter)"),
    _sign("redirect", "medium", "a value chooses where the user is sent", rf"(?i)\bredirect\(.*{OUTSIDE}"),
    _sign(
        "forgery ssrf request",
        "high",
        "a value chooses what the server asks for",
        rf"(?:requests\.(?:get|post|put)|urlopen|\bfetch|axios\.(?:get|post)|http\.Get)\(.*{OUTSIDE}[\w.]*[\[(.]",
    ),
    _sign(
        "xml entit", "high", "foreign XML may name entities", r"resolve_entities\s*=\s*True|\bLIBXML_NOENT\b"
    ),
    _sign(
        "workflow pipeline",
        "high",
        "an outsider's text or code runs with the rights of the workflow",
        r"github\.event\.pull_request\.head\.(?:sha|ref)|\$\{\{\s*github\.(?:head_ref|event\.(?:issue|pull_request|comment"
        r"|review|discussion|head_commit)\.(?:title|body|message|head\.(?:ref|label)))",
        ".yml .yaml",
    ),
    _sign(
        "supply download",
        "high",
        "a download is run unseen",
        r"\b(?:curl|wget)\b[^|]*\|\s*(?:sudo\s+)?(?:ba)?sh\b",
    ),
    _sign("permission", "medium", "a right becomes wide", r"\bchmod\b.*\b0?o?777\b|permissions:\s*write-all"),
    _sign(
        "crypto",
        "medium",
        "too weak for what it protects",
        r"(?i)(?:password|token|secret|sign|session|nonce).*(?:\bmd5|\bsha1\b|random\.(?:random|randint|choice)|Math\.random)"
        r"|(?:\bmd5|\bsha1|Math\.random)\(.*(?:password|token|secret|session)|\bAES/ECB|\bMODE_ECB\b",
    ),
    _sign(
        "exposure log leak",
        "medium",
        "a secret reaches the log",
        r"(?i)(?:\blog\w*\.\w+|\bprint|console\.log|\bprintln!?)\(.*\b(?:password|passwd|secret|api_?key|private_?key)\b(?![\"'])",
    ),
    _sign(
        "cross-site cors",
        "medium",
        "any site may ask",
        r"Access-Control-Allow-Origin[\"']?\s*[,:\]=].*\*|@csrf_exempt",
    ),
    _sign(
        "memory",
        "high",
        "nothing bounds the copy",
        r"\b(?:strcpy|strcat|gets|sprintf|vsprintf)\s*\(",
        ".c .cc .cpp .h .hpp",
    ),
    _sign(
        "hidden instruction",
        "medium",
        "text speaks to a reviewing model",
        r"(?i)\b(?:ignore|disregard|forget)\b.{0,30}\b(?:previous|prior|above|earlier)\b.{0,20}\binstructions?\b",
    ),
)

GUARDS = (
    _sign(
        "path traversal",
        "high",
        "a check of the path is gone",
        r"realpath|normpath|secure_filename|is_relative_to|filepath\.Clean",
    ),
    _sign("command injection", "high", "quoting is gone", r"shlex\.quote|escapeshellarg|execFile\("),
    _sign("cross-site xss", "high", "escaping is gone", r"(?i)escape\w*\(|sanitiz|autoescape|encodeURI"),
    _sign("deserialization", "high", "the safe loader is gone", r"safe_load|SafeLoader"),
    _sign(
        "authoriz authentic access",
        "high",
        "a check of who may do this is gone",
        r"(?i)login_required|has_perm|is_?(?:admin|authori[sz]ed|authenticated|owner|allowed)|permission|authori[sz]e"
        r"|authenticate|csrf|check_password|compare_digest|current_user",
    ),
    _sign(
        "fails open",
        "medium",
        "a check of the input is gone",
        r"(?i)\b(?:validate|verify|is_?(?:safe|valid))\w*\(",
    ),
)
"""Checks whose loss matters: they count on deleted lines that nothing added takes the place of."""

_COMMENT = re.compile(r"\s*(?:#(?!\{)|//|\*|/\*|<!--|--\s)")
_BUILDS_TEXT = re.compile(r"[\"'`]\s*\+|\+\s*[\"'`]|\bf[\"'].*\{|\$\{|\.format\(|[\"']\s*%\s|Sprintf\(|#\{")
_TARGET = re.compile(r"\b([A-Za-z_]\w*)\s*(?::=|\+?=)(?!=)")


def signs_in(path: str, text: str, signs: tuple[Sign, ...] = SIGNS) -> Iterator[Sign]:
    """The constructs in one line of a file; a line that only comments shows no more than hidden orders."""
    suffix = PurePosixPath(path).suffix.lower()
    is_comment = bool(_COMMENT.match(text))
    for sign in signs:
        if (sign.suffixes and suffix not in sign.suffixes) or (is_comment and "hidden" not in sign.words):
            continue
        if sign.pattern.search(text[:LINE_CHARACTERS]):
            yield sign


def built_name(text: str) -> str:
    """The variable that a line gives text built from values, or a value from outside; "" for none."""
    text = text[:LINE_CHARACTERS]
    target = _TARGET.search(text)
    built = _BUILDS_TEXT.search(text) or re.search(OUTSIDE + r"[\w.]*[\[(.]", text)
    return target[1] if target and built else ""


def is_test_path(path: str) -> bool:
    """Whether a path is that of a test, as most projects name theirs."""
    return bool(
        re.search(r"(?:^|/)(?:tests?|spec|__tests__|testing)/|(?:^|/)test_|[._]test\.|\.spec\.|Test\.", path)
    )


def has_sign(path: str, text: str) -> bool:
    """Whether a line holds any dangerous construct."""
    return next(signs_in(path, text), None) is not None
