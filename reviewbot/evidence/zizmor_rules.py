"""What zizmor's rules weigh here, with the reason beside each, and what our own look at checkouts does."""

from collections.abc import Mapping
from dataclasses import replace

from reviewbot.core import Severity
from reviewbot.evidence.sources import Rule

HIGH, MEDIUM, LOW, INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO
_PIN = Rule(MEDIUM, 0.6, "CWE-829", "what the name stands for can change; common, so it does not block")
_MINOR = Rule(LOW, 0.6, None, "care more than a hole")
_SECRETS = Rule(MEDIUM, 0.6, "CWE-272", "more secrets than the job needs")

RULES: Mapping[str, Rule] = {
    "dangerous-triggers": Rule(
        MEDIUM,
        0.6,
        "CWE-829",
        "runs with the base repository's rights; safe while no code of the pull request runs",
    ),
    "template-injection": Rule(HIGH, 0.9, "CWE-94", "text of an outsider becomes part of a script"),
    "insecure-commands": Rule(HIGH, 0.9, "CWE-94", "lets any output line set environment variables"),
    "github-env": Rule(HIGH, 0.9, "CWE-94", "text of an outsider sets environment variables"),
    "hardcoded-container-credentials": Rule(HIGH, 0.9, "CWE-798", "a password in the workflow"),
    "dependabot-execution": Rule(
        HIGH, 0.9, "CWE-829", "lets dependencies run code where Dependabot's secrets are"
    ),
    "bot-conditions": Rule(MEDIUM, 0.6, "CWE-290", "the actor can be spoofed; widely used to merge updates"),
    "cache-poisoning": Rule(MEDIUM, 0.5, "CWE-349", "needs a foothold in another job first"),
    "unsound-contains": Rule(MEDIUM, 0.7, "CWE-697", "a substring passes the test too"),
    "unsound-condition": Rule(MEDIUM, 0.8, "CWE-697", "the condition is always true"),
    "typosquat-uses": Rule(
        MEDIUM, 0.5, "CWE-829", "a name close to a well-known one; may be a fork on purpose"
    ),
    "unredacted-secrets": Rule(MEDIUM, 0.7, "CWE-532", "parts of a secret are not masked in logs"),
    "github-app": Rule(MEDIUM, 0.6, "CWE-272", "a token of an App with more rights than needed"),
    "insecure-url-scheme": Rule(MEDIUM, 0.6, "CWE-319", "anyone on the way can change what is fetched"),
    "excessive-permissions": Rule(
        MEDIUM, 0.6, "CWE-272", "more rights than needed; the default of many repositories"
    ),
    "secrets-inherit": _SECRETS,
    "overprovisioned-secrets": _SECRETS,
    "secrets-outside-env": replace(_SECRETS, severity=LOW),
    "unpinned-uses": _PIN,
    "unpinned-images": replace(_PIN, severity=LOW),
    "unpinned-tools": replace(_PIN, severity=LOW),
    "adhoc-packages": replace(_PIN, severity=LOW),
    "artipacked": Rule(LOW, 0.4, "CWE-522", "the token stays on disk; matters where the folder is uploaded"),
    "self-hosted-runner": Rule(LOW, 0.5, None, "a risk in public repositories only"),
    "archived-uses": _MINOR,
    "dependabot-cooldown": _MINOR,
    "misfeature": _MINOR,
    "obfuscation": _MINOR,
    "use-trusted-publishing": _MINOR,
    "unsound-ternary": _MINOR,
    "self-repository": _MINOR,
    "superfluous-actions": replace(_MINOR, severity=INFO),
}
CHECKOUT = Rule(
    HIGH, 0.9, "CWE-829", "code of the pull request meets the base repository's token, secrets and caches"
)
GUARDED_CHECKOUT = replace(
    CHECKOUT, severity=MEDIUM, reason=f"{CHECKOUT.reason}; its condition keeps outsiders out"
)
GUESSED_CHECKOUT = Rule(
    MEDIUM, 0.5, "CWE-829", "the revision is computed elsewhere; it may be the pull request's"
)
