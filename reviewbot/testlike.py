"""Which files hold tests, told by their names alone."""

import re

_TEST_PATH = re.compile(
    r"(?i:(?:^|[/_.-])(?:tests?|specs?|__tests__|conftest)(?:[/_.-]|$))"
    r"|(?:Tests?|Spec|[a-z0-9]IT)\.\w{1,10}$"
)


def is_test_path(path: str) -> bool:
    """Whether a file is one of tests by its name or folder."""
    return _TEST_PATH.search(path) is not None
