"""Rate limits of the scripted model: so many requests in a window, told in the headers of each answer."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(slots=True)
class RateLimit:
    """At most ``requests`` in each window of ``seconds``; the one beyond is answered by status 429."""

    requests: int
    seconds: float
    _used: int = 0
    _reset: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Whether one more request fits the window."""
        with self._lock:
            if time.time() >= self._reset:
                self._used, self._reset = 0, time.time() + self.seconds
            self._used += 1
            return self._used <= self.requests

    def headers(self) -> dict[str, str]:
        """What an answer says of the window."""
        reset = datetime.fromtimestamp(self._reset, UTC).isoformat().replace("+00:00", "Z")
        return {
            "anthropic-ratelimit-requests-limit": str(self.requests),
            "anthropic-ratelimit-requests-remaining": str(max(0, self.requests - self._used)),
            "anthropic-ratelimit-requests-reset": reset,
        }
