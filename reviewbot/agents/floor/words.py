"""Words that stand near security decisions, by the signal they speak for.

Weights are set by what a word means, not fitted to data: 2 where it seldom means anything else, 1 for
the working vocabulary of code that handles such things, 0.5 for words that all code uses. Base forms
only: ``weigh`` also finds plurals and other endings. No names of projects or advisories.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_STRONG = {
    "authorization": """
        auth authn authz authenticate authentication authorize authorization unauthorized unauthenticated
        login logon logout signin signout permission perm privilege admin administrator superuser acl rbac
        revoke deny denied forbid forbidden impersonate sudo allowlist whitelist blacklist blocklist
        denylist oauth oauth2 oidc sso saml ldap kerberos mfa otp totp webauthn ownership csrf xsrf
        csrftoken
    """,
    "secrets": """
        session cookie jwt secret password passwd passphrase pwd credential cred bearer apikey samesite
        httponly secure keyring netrc keystore vault
    """,
    "cryptography": """
        crypto cryptography cipher ciphertext encrypt encryption decrypt decryption hmac bcrypt scrypt argon
        pbkdf pbkdf2 signature verify tls x509 nonce salt rand urandom insecure certificate md5
        sha1 timingsafe hostkey keypair pkcs starttls truststore
    """,
    "database": "sql nosql raw ldapsearch xpath querystring rawquery",
    "deserialisation": """
        pickle unpickle cpickle unmarshal deserialize deserialise deserialization unserialize readobject
        objectinputstream jndi
    """,
    "code-execution": """
        eval exec sandbox sandboxed subprocess popen shell spawn argv interpreter ssti ognl spel
    """,
    "file-paths": """
        symlink hardlink readlink lstat realpath abspath traversal chmod chown umask upload uploader untar
        unzip extract archive tmp tempfile filepath absolute sendfile attachment nofollow evalsymlinks
        securejoin canonical pathinfo
    """,
    "privileges": """
        mount rootfs chroot cgroup procfs sysfs apparmor selinux seccomp capability uid gid setuid setgid
        cloexec mknod userns toctou race hostpath privileged
    """,
    "network": """
        href redirect scheme proxy noproxy host origin cors referer referrer ip addr localhost loopback
        forwarded urlparse netloc location webhook header ssrf smuggle smuggling
    """,
    "markup": """
        escape unescape autoescape sanitize sanitizer sanitise unsafe markup xss innerhtml outerhtml
        dangerously csp mime svg onclick onerror nosniff html template safe htmlspecialchars
    """,
    "parsing": """
        chunked charset unquote multipart crlf malformed invalid parser regexp regex xxe doctype redos
    """,
    "memory": """
        memcpy memmove strcpy strncpy strcat overflow underflow bound decompress limit quota throttle exceed
        recursion depth dangling transmute
    """,
    "reflection": "prototype proto setattr getattr builtins dunder globals subclasses mro reflection",
    "validation": """
        validate validator suspicious malicious attack attacker vulnerability vulnerable exploit security
        injection inject bypass dangerous spoof untrusted trust forge leak sensitive redact tamper
    """,
}
_PLAIN = {
    "authorization": """
        register registration role grant policy allow restrict restriction protect visibility anonymous
        guest membership tenant username userid collaborator invite scope readonly logged
    """,
    "secrets": "token remember expire expiry expiration reset sid",
    "cryptography": """
        hash digest sha256 sha512 sign signer cert ssl entropy aes rsa ecdsa ed25519 pem fingerprint
        checksum unverified
    """,
    "database": "query execute executemany cursor orm database db jdbc statement prepare bind filter",
    "deserialisation": "marshal serialize load compile",
    "code-execution": "plugin expression vm importlib bash sh cmd environ getenv setenv fork ssh",
    "file-paths": """
        path pathname filename basename dirname link stat relative rel normpath normalize clean join mkdir
        mkdirall mkdtemp unlink removeall download gzip tar zip temp serve parent follow outside within
        subpath
    """,
    "privileges": """
        namespace pivot proc devpts container bindmount mask kernel syscall unix fd ioctl inode lock mutex
        atomic concurrent concurrency
    """,
    "network": """
        url uri hostname port request req response http https fetch ipv4 ipv6 address dns resolve resolver
        socket forward remote endpoint route router routing middleware listen domain urljoin urllib tunnel
        dial transport websocket cgi wsgi asgi grpc
    """,
    "markup": "entity render renderer attr iframe sniff xml xmlattr markdown javascript dom element",
    "parsing": """
        parse decode decoder encode encoder encoding fullmatch split lower upper strip lstrip rstrip trim
        prefix suffix startswith endswith chunk trailing leading unicode utf utf8 ascii codec quote lexer
        grammar boundary backslash slash newline whitespace character semicolon delimiter separator
        unexpected strconv atoi parseint
    """,
    "memory": """
        memset sprintf snprintf malloc calloc realloc free alloc sizeof uint ptr nullptr pool recursive
        recurse timeout deadline bomb rate uninitialized signed unsigned cap capacity large
    """,
    "reflection": "constructor hasattr merge assign kwargs reflect mixin hasownproperty attribute",
    "validation": """
        valid ensure assert cannot disallow reject refuse abort raise panic bad illegal prevent disclose
        disclosure confidential strict
    """,
}
_WEAK = {
    "authorization": "user group account member owner public private require",
    "cryptography": "random constant",
    "database": "insert update select where order",
    "code-execution": "process run runner hook git arg argument env environment command system script",
    "file-paths": "file fs dir folder directory open remove rename exist static asset root",
    "network": """
        get put post delete patch method client server handler controller connect connection api param form
    """,
    "markup": "title label description content inline frame",
    "parsing": "json pattern match replace byte char",
    "memory": "buf buffer memory index size len length max min range offset pointer nil null",
    "reflection": "key class defaults extend override property",
    "validation": "check error err only not never must throw",
}
_LOUDNESS = ((2.0, _STRONG), (1.0, _PLAIN), (0.5, _WEAK))
_ENDINGS = ("", "s", "es", "d", "ed", "ing", "r", "er")
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*")


@lru_cache(maxsize=1)
def _weights() -> dict[str, tuple[str, float]]:
    """Word -> its signal and weight, all endings included; the louder meaning wins."""
    table: dict[str, tuple[str, float]] = {}
    for ending in _ENDINGS:
        for weight, words in _LOUDNESS:
            for signal, text in words.items():
                for word in text.split():
                    table.setdefault(_add(ending, word), (signal, weight))
    return table


def _add(ending: str, word: str) -> str:
    if word.endswith("y") and ending in ("es", "ed"):
        return f"{word[:-1]}i{ending}"
    return word.removesuffix("e" if ending == "ing" else "") + ending


def split_words(text: str) -> set[str]:
    """The lower-case words inside identifiers and prose: ``isSafeURL_v2`` is is, safe, url and v2."""
    return {word.lower() for word in set(_WORD.findall(text))}


def weigh(words: Iterable[str]) -> dict[str, float]:
    """Signal -> the summed weights of its distinct words; a number at the end of a word may be missing."""
    table = _weights()
    sums: dict[str, float] = {}
    for word in words:
        if found := table.get(word) or table.get(word.rstrip("0123456789")):
            signal, weight = found
            sums[signal] = sums.get(signal, 0.0) + weight
    return sums
