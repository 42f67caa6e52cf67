"""Rate limits of the scripted model: so much in a window, told in the headers of each answer."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(slots=True)
class RateLimit:
    """At most ``requests`` in each window of ``seconds``; the one beyond is answered by status 429.

    With ``output_tokens`` one that comes after so many were written in the window is, too.
    """

    requests: int
    seconds: float
    output_tokens: int | None = None
    _used: int = 0
    _written: int = 0
    _reset: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Whether one more request fits the window."""
        with self._lock:
            if time.time() >= self._reset:
                self._used, self._written, self._reset = 0, 0, time.time() + self.seconds
            self._used += 1
            is_empty = self.output_tokens is not None and self._written >= self.output_tokens
            return self._used <= self.requests and not is_empty

    def write(self, tokens: int) -> None:
        """Note what an answer took of the window."""
        with self._lock:
            self._written += tokens

    def headers(self) -> dict[str, str]:
        """What an answer says of the window."""
        reset = datetime.fromtimestamp(self._reset, UTC).isoformat().replace("+00:00", "Z")
        limits = {"requests": (self.requests, self._used)}
        if self.output_tokens is not None:
            limits["output-tokens"] = (self.output_tokens, self._written)
        told: dict[str, str] = {}
        for kind, (limit, used) in limits.items():
            name = f"anthropic-ratelimit-{kind}"
            told |= {f"{name}-limit": str(limit), f"{name}-remaining": str(max(0, limit - used))}
            told[f"{name}-reset"] = reset
        return told
