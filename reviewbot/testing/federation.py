"""The scripted model's token endpoint: ``POST /v1/oauth/token`` for workload identity federation.

Shape from the API reference of version 2026-10-21 (RFC 7523 with the grant ``jwt-bearer``).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewbot.testing.checks import Refused

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BETAS = frozenset({"oauth-2025-04-20", "oidc-federation-2026-04-01"})
LONGEST_ASSERTION = 16 * 1024


@dataclass(slots=True)
class Federation:
    """A federation rule: whose identity tokens are taken, and what was made of them.

    ``takes`` says of an identity token whether the rule matches it; ``seconds`` is how long an access
    token is said to live. ``exchanged`` holds every identity token that came, in order, ``minted`` every
    access token; ``revoke`` makes those worthless that were minted by then. ``failures`` are status codes
    for the next exchanges, instead of an answer.
    """

    rule: str
    organization: str
    takes: Callable[[str], bool] = bool
    seconds: int = 3_600
    failures: list[int] = field(default_factory=list)
    exchanged: list[str] = field(default_factory=list)
    minted: list[str] = field(default_factory=list)
    _revoked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def revoke(self) -> None:
        """Take none of the tokens that were minted so far."""
        self._revoked = len(self.minted)

    def knows(self, token: str) -> bool:
        """Whether this is an access token that is still taken."""
        return token in self.minted[self._revoked :]

    def exchange(self, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
        """An access token for an identity token. Raises Refused."""
        with self._lock:
            if self.failures:
                raise Refused("the exchange failed, as it was asked to", self.failures.pop(0), "api_error")
            self._check(body, headers)
            self.exchanged.append(body["assertion"])
            if not self.takes(body["assertion"]):
                raise Refused("the rule does not match this identity", 401, "authentication_error")
            self.minted.append(f"sk-ant-oat01-scripted-{len(self.minted) + 1:04d}")
            return {"access_token": self.minted[-1], "token_type": "Bearer", "expires_in": self.seconds}

    def _check(self, body: Any, headers: Mapping[str, str]) -> None:
        betas = {beta.strip() for beta in headers.get("anthropic-beta", "").split(",")}
        if not betas >= BETAS:
            raise Refused(f"anthropic-beta must name {', '.join(sorted(BETAS))}")
        if not isinstance(body, dict) or body.get("grant_type") != GRANT:
            raise Refused(f"grant_type must be {GRANT}")
        known = {"grant_type", "assertion", "federation_rule_id", "organization_id"}
        unknown = set(body) - known - {"service_account_id", "workspace_id"}
        if unknown or not known <= set(body):
            raise Refused(f"the exchange takes exactly {', '.join(sorted(known))}, not {sorted(unknown)}")
        assertion = body["assertion"]
        if not (isinstance(assertion, str) and 0 < len(assertion) <= LONGEST_ASSERTION):
            raise Refused("assertion must be a JWT of at most 16 KiB")
        if (body["federation_rule_id"], body["organization_id"]) != (self.rule, self.organization):
            raise Refused("there is no such federation rule", 401, "authentication_error")
