"""Addresses that a secret may be sent to. Pure."""

from urllib.parse import urlsplit


def is_safe_address(url: str, *, with_query: bool = False) -> bool:
    """Whether this is an https URL (http only for this machine) without user name and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        named = bool(host) and parts.username is None and not parts.fragment
    except ValueError:
        return False
    is_here = host in ("localhost", "127.0.0.1", "::1")
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_here)
    return named and safe and (with_query or not parts.query)
