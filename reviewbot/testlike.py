"""Which files hold tests, or try something out, told by their names alone."""

import re
from pathlib import PurePosixPath

_TEST_PATH = re.compile(
    r"(?i:(?:^|[/_.-])(?:tests?|specs?|__tests__|conftest)(?:[/_.-]|$))"
    r"|(?:Tests?|Spec|[a-z0-9]IT)\.\w{1,10}$"
)
_TRIAL_FOLDERS = frozenset(
    "test tests testdata test_data fixture fixtures __tests__ __mocks__ spec specs "
    "example examples sample samples doc docs".split()
)
_TRIAL_NAMES = re.compile(
    r"(test_.*|.*_tests?\.\w+|.*\.(test|spec)\.\w+|.*Tests?\.(java|kt|cs)|conftest\.py)", re.DOTALL
)
_DOCUMENTS = (".md", ".rst", ".adoc", ".mdx")  # no .txt: requirements.txt is no document


def is_test_path(path: str) -> bool:
    """Whether a file is one of tests by its name or folder."""
    return _TEST_PATH.search(path) is not None


def is_trial(path: str) -> bool:
    """Tests, fixtures, examples and documents: code and secrets there are rarely what runs."""
    parts = PurePosixPath(path)
    return (
        any(part.lower() in _TRIAL_FOLDERS for part in parts.parts[:-1])
        or bool(_TRIAL_NAMES.fullmatch(parts.name))
        or parts.suffix.lower() in _DOCUMENTS
    )
