"""The one door to jinja2: our own templates, filled in.

Templates are part of the program (``reviewbot/prompts`` in a wheel, ``prompts/`` in a source
checkout) and never come from the current folder, which may be the change under review.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from jinja2 import Environment


class TemplateMissing(ReviewbotError):
    """A template that should have been installed with the program."""

    help = "Install reviewbot again; the package is not complete."


def render(name: str, /, **values: object) -> str:
    """Fill in the template ``name``, such as ``report.md.j2``.

    Nothing is escaped here: the caller passes text that the sanitiser has made safe for its sink.
    A value that the template uses and nobody passed raises ``jinja2.UndefinedError``, a bug of ours.
    Raises TemplateMissing.
    """
    if not (find_folder(_package()) / name).is_file():
        raise TemplateMissing(f"the template {name} is missing")
    return _environment(find_folder(_package())).get_template(name).render(values)


def find_folder(package: Path) -> Path:
    """The folder of the templates that belong to the program installed in ``package``."""
    checkout = package.parent
    inside = package / "prompts"
    if not inside.is_dir() and _is_our_checkout(checkout):
        return checkout / "prompts"
    return inside


def read_template(name: str) -> str:
    """The text of a template before anything is filled in."""
    return (find_folder(_package()) / name).read_text(encoding="utf-8")


@cache
def digest_templates() -> str:
    """A digest of all templates, the agents' prompts among them."""
    whole = sha256()
    for path in sorted(find_folder(_package()).glob("*.j2")):
        data = path.read_bytes()
        whole.update(f"{path.name}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


def _package() -> Path:
    return Path(__file__).resolve().parent


def _is_our_checkout(folder: Path) -> bool:
    try:
        lines = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return 'name = "reviewbot"' in lines


@cache
def _environment(folder: Path) -> "Environment":
    import jinja2  # noqa: PLC0415 - 0.1 s of CPU that only those who render should pay

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown and prompts, no HTML; the sanitiser escapes for each sink
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
