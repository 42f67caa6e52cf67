"""Lines that are read whatever stands around them: dangerous calls, switched-off checks, secrets.

Each pattern is matched against one line, works in linear time and spans at most 200 characters.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sink:
    """A line that always counts; ``everywhere``: in tests and documents, too."""

    name: str
    reason: str
    pattern: re.Pattern[str]
    everywhere: bool = False


def _sink(name: str, reason: str, pattern: str, *, everywhere: bool = False, flags: int = 0) -> Sink:
    return Sink(name, reason, re.compile(pattern, flags), everywhere)


SINKS: tuple[Sink, ...] = (
    _sink(
        "workflow-expression",
        "an expression of a workflow, or a trigger that holds secrets",
        r"\$\{\{\s{0,9}(?:github|inputs|steps|secrets|env)\b|\bpull_request_target\b",
        everywhere=True,
    ),
    _sink(
        "secret-literal",
        "text in the form of a key or token",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
        r"|\bgithub_pat_\w{22}|\bxox[abposr]-\w{10}|\bsk-ant-[\w-]{20}|\bglpat-[\w-]{20}|\bAIza[\w-]{35}",
        everywhere=True,
    ),
    _sink(
        "hidden-text",
        "characters that change how the line looks, or hide it",
        "[\u200b\u2060\u202a-\u202e\u2066-\u2069\U000e0001-\U000e007f]",
        everywhere=True,
    ),
    _sink(
        "code-from-text",
        "text is run as code, or objects are built from bytes",
        r"(?<![\w.$])(?:eval|exec)\s?\(|\bnew Function\s?\(|\bvm\.run"
        r"|\b(?:c?[Pp]ickle|marshal|shelve)\.loads?\("
        r"|\byaml\.(?:load|unsafe_load|full_load)(?:_all)?\(|\bunserialize\s?\(|\breadObject\s?\("
        r"|\bScriptEngine|\bMarshal\.load|\binstance_eval\b|\bweights_only\s?=\s?False",
    ),
    _sink(
        "command",
        "a command is started through a shell or from parts",
        r"\bos\.(?:system|popen)\s?\(|\bshell\s?[=:]\s?[Tt]rue|\bchild_process\b|\bexecSync\s?\(|\bgetRuntime\(\)\.exec"
        r"|\bProcessBuilder\s?\(|\bexec\.Command(?:Context)?\(|\bshell_exec\s?\(|\bpassthru\s?\(|\bproc_open\s?\("
        r"|\b(?:curl|wget)\b[^|]{0,150}\|\s{0,9}(?:sudo\s)?(?:ba|z)?sh\b",
    ),
    _sink(
        "raw-markup",
        "text reaches a page without being escaped",
        r"\b(?:inner|outer)HTML\b|\bdangerouslySetInnerHTML\b|\bv-html\b|\binsertAdjacentHTML\b|\bdocument\.write\b"
        r"|\bmark_safe\b|\bMarkup\(|\|\s?safe\b|\btemplate\.(?:HTML|JS|URL)\(|\bbypassSecurityTrust|\bhtml_safe\b"
        r"|\bautoescape\b|\{!!|\{@html\b",
    ),
    _sink(
        "built-query",
        "a query is put together from text",
        r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b[^;]{0,150}(?:[\"']\s?[%+.]|\{\w|\$\{|%s?[\"']\s?%)"
        r"|\.(?:execute|query|raw|exec)\(\s?(?:f[\"']|`[^`]{0,150}\$\{)"
        r"|\b(?:fmt\.Sprintf|format)\(\s?[\"'](?:SELECT|UPDATE|DELETE)",
    ),
    _sink(
        "check-off",
        "a check of certificates, origins, tokens or access is switched off",
        r"\bInsecureSkipVerify\b|\brejectUnauthorized\b|\bverify\s?=\s?False\b|\bCERT_NONE\b|\b_create_unverified"
        r"|\bcsrf_exempt\b|\bpermitAll\b|\bAllowAny\b|\bAnonymousAllowed\b|\bAllowAnonymous\b|\bskip_before_action\b"
        r"|\bAccess-Control-Allow-Origin\b|\bverify_signature\W{1,5}[Ff]alse|\bStrictHostKeyChecking\b|\bdisable_ssl\b"
        r"|\bprivileged:\s?true|\bhostNetwork:\s?true|\bdocker\.sock\b|\b0?o?777\b",
    ),
    _sink(
        "unbounded-copy",
        "memory is copied or formatted without a bound",
        r"\b(?:strcpy|strcat|sprintf|vsprintf|gets|alloca|memcpy|memmove)\s?\(|\bunsafe\s?\{|\btransmute\b",
    ),
    _sink(
        "archive-or-entity",
        "an archive is unpacked, or a document with entities is parsed",
        r"\.extract(?:all)?\(|\bunpack_archive\(|\bZipInputStream\b|\bresolve_entities\b|\bnoent\b"
        r"|\b(?:DocumentBuilder|SAXParser|XMLInput)Factory\b",
    ),
    _sink("long-line", "a line is too long to be read by a person", r"^.{2001}", flags=re.MULTILINE),
)
