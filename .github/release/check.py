"""What must hold before a release, and the pin of action.yml. Needs nothing but Python.

check.py TAG            refuse a release whose base image, version or tag do not fit
check.py --image IMAGE  refuse an image that is not named by its digest
check.py --pin IMAGE    make action.yml use exactly this image
check.py --sbom FILE    refuse a CycloneDX file that does not list the lock: every package, version and hash
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIGEST = re.compile(r"[a-z0-9][a-z0-9./_:-]*@sha256:[0-9a-f]{64}")
BUILT = "  image: Dockerfile\n"


def problems(root: Path, tag: str) -> list[str]:
    """Why this tree must not be released as ``tag``, one sentence each."""
    found = []
    base = re.search(r"^ARG BASE=(.*)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    if base is None or not DIGEST.fullmatch(base[1].strip()):
        found.append("Dockerfile: BASE is not pinned by a digest; write NAME:TAG@sha256:…")
    version = re.search(r'^__version__ = "(.+)"$', (root / "reviewbot/__init__.py").read_text(), re.MULTILINE)
    if version is None or tag != f"v{version[1]}":
        found.append(f"The tag {tag!a} is not the version in reviewbot/__init__.py")
    if BUILT not in (root / "action.yml").read_text():
        found.append("action.yml: the released tree must say `image: Dockerfile`; the pin is made from it")
    return found


def pin(root: Path, image: str) -> None:
    """Write the image into action.yml. Raises ValueError for one that is not named by its digest."""
    if not DIGEST.fullmatch(image):
        raise ValueError(f"{image[:200]!a} is not an image named by its digest")
    file = root / "action.yml"
    text = file.read_text()
    if text.count(BUILT) != 1:
        raise ValueError("action.yml does not say `image: Dockerfile` exactly once")
    file.write_text(text.replace(BUILT, f"  image: docker://{image}\n"))


Packages = dict[str, tuple[str, frozenset[str]]]
"""Version and SHA-256 digests by the name of the package."""


def locked(root: Path) -> Packages:
    """What the image installs."""
    text = (root / "requirements/run.txt").read_text().replace("\\\n", " ")
    pins = (re.match(r"([a-z0-9-]+)==(\S+)", line) for line in text.splitlines())
    return {
        pin[1]: (pin[2], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", pin.string)))
        for pin in pins
        if pin
    }


def listed(file: Path) -> Packages:
    """What a CycloneDX file lists. Raises ValueError, KeyError or TypeError for what is none."""
    found: Packages = {}
    for component in json.loads(file.read_text())["components"]:
        hashes = [each for place in component["externalReferences"] for each in place.get("hashes", ())]
        digests = frozenset(each["content"] for each in hashes if each["alg"] == "SHA-256")
        found[component["name"]] = (component["version"], digests)
    return found


def sbom_problems(root: Path, file: Path) -> list[str]:
    """Where a list of the image's packages differs from the lock, one sentence each."""
    try:
        said = listed(file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{file.name} is no CycloneDX list of packages: {error!a}"]
    lock = locked(root)
    names = sorted(name for name in {*lock, *said} if lock.get(name) != said.get(name))
    return [f"{name}: the lock says {lock.get(name)}, {file.name} says {said.get(name)}" for name in names]


def main(arguments: Sequence[str]) -> str | int:
    """The exit code, or what is wrong."""
    match arguments:
        case ["--image", image]:
            return 0 if DIGEST.fullmatch(image) else f"{image[:200]!a} is not an image named by its digest"
        case ["--pin", image]:
            try:
                pin(ROOT, image)
            except ValueError as error:
                return str(error)
            return 0
        case ["--sbom", file]:
            return "\n".join(sbom_problems(ROOT, Path(file))) or 0
        case [tag] if not tag.startswith("-"):
            return "\n".join(problems(ROOT, tag)) or 0
    return __doc__ or 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
