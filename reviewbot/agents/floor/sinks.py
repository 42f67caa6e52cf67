"""Lines that are read whatever stands around them: dangerous calls, switched-off checks, secrets.

Each pattern is matched against one line, works in linear time and spans at most 200 characters.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sink:
    """A line that always counts.

    ``everywhere``: in tests and documents, too; ``in_tests``: in code that tests run. ``marks`` are the
    first characters of the lines it is looked for in: added, deleted, or both.
    """

    name: str
    reason: str
    pattern: re.Pattern[str]
    everywhere: bool = False
    in_tests: bool = False
    marks: str = "+"


def gather_words(pattern: str) -> str:
    r"""The same pattern, its alternatives with a leading ``\b`` as one: most places are left at once.

    It finds in the same texts; whole trees are searched with it three times as fast.
    """
    every = split_alternatives(pattern)
    words = [each.removeprefix(r"\b") for each in every if each.startswith(r"\b")]
    others = [each for each in every if not each.startswith(r"\b")]
    return "|".join([*([rf"\b(?:{'|'.join(words)})"] if words else []), *others])


_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\]", re.DOTALL)


def split_alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern that stand in no group and no set."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(pattern):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _sink(
    name: str,
    reason: str,
    pattern: str,
    *,
    everywhere: bool = False,
    in_tests: bool = False,
    marks: str = "+",
) -> Sink:
    return Sink(name, reason, re.compile(gather_words(pattern), re.M), everywhere, in_tests, marks)


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
        r"|\b(?:c?[Pp]ickle|marshal|shelve|dill|jsonpickle)\.(?:loads?|decode)\("
        r"|\byaml\.(?:load|unsafe_load|full_load)(?:_all)?\(|\bunserialize\s?\(|\breadObject\s?\("
        r"|\bScriptEngine|\bMarshal\.load|\binstance_eval\b|\bweights_only\s?=\s?False",
    ),
    _sink(
        "command",
        "a command is started through a shell or from parts",
        r"\bos\.(?:system|popen)\s?\(|\bshell\s?[=:]\s?[Tt]rue|\bchild_process\b|\bexecSync\s?\(|\bgetRuntime\(\)\.exec"
        r"|\bProcessBuilder\s?\(|\bexec\.Command(?:Context)?\(|\bshell_exec\s?\(|\bpassthru\s?\(|\bproc_open\s?\("
        r"|\b(?:curl|wget)\b[^|]{0,150}\|\s{0,9}(?:sudo\s)?(?:ba|z)?sh\b"
        r"|\bsubprocess\.\w{1,20}\(\s?(?:f[\"']|[\"'][^\"']{0,150}[\"']\s?[%+.])"
        # Ruby, Perl and shell scripts in backticks, with a value put in.
        r"|`[^`]{0,150}#\{|=\s?`[^`$]{0,100}\$\w[^`]{0,50}`\s?;",
        in_tests=True,
    ),
    _sink(
        "raw-markup",
        "text reaches a page without being escaped",
        r"\b(?:inner|outer)HTML\b|\bdangerouslySetInnerHTML\b|\bv-html\b|\binsertAdjacentHTML\b|\bdocument\.write\b"
        r"|\bmark_safe\b|\bMarkup\(|\|\s?safe\b|\btemplate\.(?:HTML|JS|URL)\(|\bbypassSecurityTrust|\bhtml_safe\b"
        r"|\bautoescape\b|\{!!|\{@html\b"
        r"|(?<![\w.])Template\(\s?(?![\"'][^\"']{0,150}[\"']\s?\))[^)]|\brender_template_string\(|\bfrom_string\(",
    ),
    _sink(
        "request-value",
        "a value of a request is taken where nothing has checked it",
        r"\$_(?:GET|POST|REQUEST|COOKIE|FILES)\b|\$HTTP_RAW_POST_DATA\b|php://input",
    ),
    _sink(
        "built-query",
        "a query is put together from text",
        r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b[^;]{0,150}(?:[\"']\s?[%+.]|\{\w|\$\{|%s?[\"']\s?%)"
        r"|\.(?:execute\w{0,9}|query|raw|exec)\(\s?(?:f[\"']|`[^`]{0,150}\$\{|[\"'][^\"']{0,150}[\"']\s?[%+]\s?[\w(])"
        r"|[\"'](?i:select\s[^\"';]{0,60}\sfrom|insert\sinto|update\s[^\"';]{0,60}\sset|delete\sfrom)\s[^\"';]{0,80}[\"']\s?(?:[%+]|\.\s?(?:\$|format))"
        r"|\b(?:fmt\.Sprintf|format)\(\s?[\"'](?:SELECT|UPDATE|DELETE)",
    ),
    _sink(
        "check-off",
        "a check of certificates, origins, tokens or access is switched off",
        r"\bInsecureSkipVerify\b|\brejectUnauthorized\b|\bverify\s?=\s?False\b|\bCERT_NONE\b|\b_create_unverified"
        r"|\bcsrf_exempt\b|\bpermitAll\b|\bAllowAny\b|\bAnonymousAllowed\b|\bAllowAnonymous\b|\bskip_before_action\b"
        r"|\bAccess-Control-Allow-Origin\b|\bverify_signature\W{1,5}[Ff]alse|\bStrictHostKeyChecking\b|\bdisable_ssl\b"
        r"|\bprivileged:\s?true|\bhostNetwork:\s?true|\bdocker\.sock\b|\b0o?777\b|\bchmod\b.{0,40}\b777\b"
        r"|^\s{0,20}DEBUG\s?=\s?True|\bALLOWED_HOSTS\b.{0,20}[\"']\*|\bdebug\s?=\s?True|\borigin:\s?(?:true|[\"']\*)"
        r"|\bCORS\w{0,30}ALL\w{0,20}\s?=\s?True|\b(?i:grant\s+all)\b",
    ),
    _sink(
        "access-check",
        "who may do what is decided here",
        r"\b(?:if|unless|assert|return|and|or)\b.{0,60}\b(?:can_[a-z]\w{1,20}\b|can[A-Z]\w{1,20}\("
        r"|(?i:is_?(?:admin|staff|superuser|authenticated|owner|anonymous|allowed|authorized))\b"
        r"|(?i:has_?(?:perm|role|access|scope)|check_?(?:perm|access|auth|token|password))\w{0,20})"
        r"|^\s{0,40}@(?:login|permission|user|admin|auth|role)\w{0,5}_(?:required|passes_test)|@PreAuthorize|@Secured\b"
        r"|\bget_object_or_403\b|\bPermissionDenied\b|\braise PermissionError\b",
        marks="+-",
    ),
    _sink(
        "secret-compared",
        "a password, token or signature is compared or made here",
        r"(?i:\b\w{0,20}(?:password|passwd|passphrase|pwd|secret|token|signature|hmac|api_?key)|\bpw)\)?\s?[=!]==?\s?"
        r"(?!none\b|null\b|undefined\b|nil\b|true\b|false\b|[\"']|\d|token\.|[A-Z_]{3,30}\b)\w"
        r"|[=!]==?\s?(?:\w{1,20}\.){0,3}(?i:\w{0,20}(?:password|passwd|passphrase|pwd|signature|hmac)|pw)\b(?!\s?[.(\[])",
    ),
    _sink(
        "weak-secret",
        "a broken hash, or a value that can be guessed",
        r"\b(?:hashlib\.|Digest::|crypto\.)(?:md5|sha1|MD5|SHA1)\b|\bcreateHash\(\s?[\"'](?:md5|sha1)\b"
        r"|\bgetInstance\(\s?[\"'](?:MD5|SHA-?1|DES)\b|(?<![\w.])(?:md5|sha1)\(\$|\bMODE_ECB\b"
        r"|\b(?:random\.(?:choices?|rand\w{1,12}|random|sample|getrandbits)\(|Math\.random\(|mt_rand\(|\buniqid\()",
    ),
    _sink(
        "built-path",
        "a path is put together from a value",
        r"\b(?:open|fopen|readFile(?:Sync)?|createReadStream|send_?[fF]ile|file_get_contents"
        r"|include|require(?:_once)?|ReadFile|OpenFile|os\.Open|File\.(?:open|read|new)|new File"
        r"|FileInputStream|unlink|rmtree|remove)\s?\("
        r"\s?(?:[\"'][^\"']{0,100}[\"']\s?(?:[+%]|\.\s?\$)|\w[\w.]{0,40}\s?\+\s?(?!\s?[\"'])"
        r"|f[\"'][^\"']{0,100}\{|`[^`]{0,100}\$\{)",
    ),
    _sink(
        "slow-pattern",
        "a pattern that can take exponential time",
        r"\((?:[^()\\]|\\.){0,60}[+*]\)[+*{](?!\?\s)",
    ),
    _sink(
        "open-merge",
        "keys from outside become properties",
        r"\b\w{1,40}\[(\w{1,40})\]\s?=\s?\w{1,40}\[\1\]|\b__proto__\b|\bObject\.assign\(\s?\w{1,40}\.prototype"
        r"|\bsetattr\(\s?\w{1,40}\s?,\s?\w{1,40}\s?,",
    ),
    _sink(
        "protection-removed",
        "an escape, a check or a bound is deleted or replaced",
        r"\b(?:\w{1,20}[._])?(?:escape|sanitize|sanitise|htmlspecialchars|strip_tags|quote|secure_filename|safe_join"
        r"|validate|verify|clean|normpath|realpath|compare_digest|timingSafeEqual|escapeshellarg|encodeURIComponent)"
        r"\w{0,20}\("
        r"|\bif\b.{0,80}[<>]=?\s?(?:sizeof\b|\w{0,20}(?:(?i:max|limit|size|len|length|count|cap)\b|_(?:MAX|LIMIT|SIZE)|MAX))"
        # The ends of number types, and sums that check for them.
        r"|\b(?:[A-Z][A-Z0-9]{0,10}_){0,3}(?:MAX|MIN)\b|\b(?:Integer|Long|Short)\.M(?:AX|IN)_VALUE\b"
        r"|\b[iu](?:8|16|32|64|128|size)::M(?:AX|IN)\b|\bmath\.Max(?:Ui|I)nt\w{0,3}\b|\bMAX_SAFE_INTEGER\b"
        r"|\b(?:checked|saturating)_(?:add|sub|mul)\b|\bMath\.(?:add|multiply|subtract|toInt)\w{0,3}Exact\b|_overflow\("
        # A limit with its number, a pointer that is cleared.
        r"|\b\w{0,20}(?:MAX|LIMIT|[mM]ax|[lL]imit)\w{0,30}\s?(?::?=|:)\s?[\d(]"
        r"|^\s{0,40}\*?[\w.>\[\]-]{1,60}\s?=\s?(?:NULL|nullptr)\s?;"
        # Sets of characters that are filtered or escaped, and what they become.
        r"|\[\^?[^\]\s]{0,20}(?:[<>][&\"']|[&\"'][<>])[^\]]{0,20}\]|&(?:lt|gt|quot|#x?[0-9A-Fa-f]{1,4});"
        r"|\b(?:re\.sub|preg_replace|gsub!?|replace(?:All|_all)?)\(\s?(?:r?[\"'])?[/~#]?\(?\["
        # Objects without inherited keys.
        r"|\b[cC]reate\(null\)|\bhasOwn(?:Property)?\b|\bObject\.(?:freeze|seal)\(",
        marks="-",
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
        r"|\b(?:DocumentBuilder|SAXParser|XMLInput)Factory\b|\betree\.(?:fromstring|parse|XML|iterparse)\("
        r"|\bElementTree\.(?:fromstring|parse)\(|\bminidom\.parse|\bsimplexml_load|\bxml\.sax\b",
    ),
    _sink(
        "import",
        "code is brought in that runs, signs, unpacks or builds things",
        r"^\s{0,20}(?:import|from)\s+(?:subprocess|pickle|marshal|shelve|dill|hmac|secrets|jwt|jose|bcrypt|passlib|cryptography|Crypto"
        r"|nacl|paramiko|ldap3?|lxml|defusedxml|tarfile|zipfile|ctypes|pty|RestrictedPython|itsdangerous|authlib)\b"
        r"|\b(?:require\(|from\s|import\s)\s?[\"'](?:node:)?(?:child_process|vm2?|crypto|jsonwebtoken|passport[\w-]{0,20}|bcrypt(?:js)?"
        r"|serialize-javascript|node-serialize|dompurify|tar|adm-zip|unzipper|libxmljs2?)[\"']"
        r"|^\s{0,20}(?:import\s+)?\"(?:os/exec|unsafe|text/template|plugin|crypto/(?:md5|sha1|des|rc4|tls|rsa|ecdsa|x509)|archive/(?:zip|tar))\""
        r"|^\s{0,20}import\s+(?:static\s+)?(?:javax\.(?:crypto|script|naming|xml)|java\.security|java\.io\.ObjectInput|sun\.misc\.Unsafe)",
    ),
    _sink("long-line", "a line is too long to be read by a person", r"^.{2001}"),
)
