"""Reports that another workflow left behind: zip files that code of a pull request may have made.

They are data (THREATS R19): nothing in them says which pull request or commit they are about, no link is
made, no name leaves the folder, and what is unpacked is counted while it is unpacked.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from reviewbot.errors import EvidenceError
from reviewbot.text import printable

MOST_ARTIFACTS = 10
ZIP_BYTES = 64 * 1024 * 1024
"""Of one artifact, packed."""

UNPACKED_BYTES = 256 * 1024 * 1024
"""Of all artifacts together."""

MOST_FILES = 2_000
_NAME_BYTES = 200
_PIECE = 64 * 1024
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError, LookupError),
)
"""What zipfile raises over bytes that are no whole zip file."""


class ArtifactError(EvidenceError):
    """An artifact that is not what a test job uploads."""

    help = "Let the first workflow upload its reports alone, with actions/upload-artifact."


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact of a run."""

    id: int
    name: str


def choose_artifacts(listing: Mapping[str, Any], patterns: Sequence[str]) -> tuple[Artifact, ...]:
    """The artifacts that a pattern names by its first folder, each once, sorted by name.

    ``listing`` is the answer of GitHub's list of a run's artifacts. Raises ArtifactError.
    """
    wanted = [pattern.partition("/")[0] for pattern in patterns]
    found = {
        each.name: each
        for each in _artifacts(listing)
        if any(first == "**" or fnmatchcase(each.name, first) for first in wanted)
    }
    if len(found) > MOST_ARTIFACTS:
        raise ArtifactError(
            f"The patterns name {len(found)} artifacts of the run; {MOST_ARTIFACTS} are read at most.",
            help="Begin each pattern with the name of an artifact, as `test-reports/**/*.xml`.",
        )
    return tuple(found[name] for name in sorted(found))


def _artifacts(listing: Mapping[str, Any]) -> Iterator[Artifact]:
    for node in listing.get("artifacts") or ():
        number, name = (node.get("id"), node.get("name")) if isinstance(node, dict) else (None, None)
        if type(number) is int and isinstance(name, str):
            if PurePosixPath(name).name != name or name in ("", ".", ".."):
                raise ArtifactError(f"The run has an artifact named {printable(name)[:80]!r}.")
            yield Artifact(number, name)


def unpack_artifacts(
    artifacts: Sequence[Artifact], download: Callable[[int, int], bytes], folder: Path
) -> None:
    """Unpack each artifact into a folder of its name below ``folder``, which must be new.

    ``download`` takes an artifact's id and the most bytes. Raises ArtifactError, and what it raises.
    """
    room, files = UNPACKED_BYTES, MOST_FILES
    folder.mkdir()
    for artifact in artifacts:
        data = download(artifact.id, ZIP_BYTES)
        try:
            with zipfile.ZipFile(BytesIO(data)) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                files -= len(entries)
                if files < 0:
                    raise _refused(artifact, f"more than {MOST_FILES:,} files are too many")
                for entry in entries:
                    room -= _unpack(archive, entry, artifact, folder / artifact.name, room)
        except _DAMAGED:
            raise _refused(artifact, "it is no whole zip file") from None


def _unpack(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, artifact: Artifact, folder: Path, room: int
) -> int:
    """Write one file and return its size. A name that is there already is an error, whatever is there."""
    place = folder / _checked(entry, artifact)
    size = 0
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError:
        raise _refused(artifact, f"{printable(entry.filename)[:80]!r} is in it twice") from None
    with os.fdopen(target, "wb") as file, archive.open(entry) as source:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > room:
                raise _refused(artifact, f"more than {UNPACKED_BYTES >> 20} MiB are too much")
            file.write(piece)
    return size


def _checked(entry: zipfile.ZipInfo, artifact: Artifact) -> PurePosixPath:
    """The name of an entry that stays in its folder and is a plain file."""
    name, kind = PurePosixPath(entry.filename), stat.S_IFMT(entry.external_attr >> 16)
    # zipfile cuts a name at its first NUL, so what was in the file is looked at.
    odd = "\\" in entry.orig_filename or "\0" in entry.orig_filename or ".." in name.parts
    long = any(len(part.encode("utf-8", "surrogateescape")) > _NAME_BYTES for part in name.parts)
    packed = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if (
        odd
        or long
        or not packed
        or name.is_absolute()
        or len(name.parts) > 20
        or kind not in (0, stat.S_IFREG)
    ):
        raise _refused(artifact, f"{printable(entry.filename)[:80]!r} is no plain file in it")
    return name


def _refused(artifact: Artifact, why: str) -> ArtifactError:
    return ArtifactError(f"The artifact {printable(artifact.name)[:80]!r} cannot be unpacked: {why}.")
