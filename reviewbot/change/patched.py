"""Head with some files replaced, as git objects in a store of our own: no work tree, and nothing is run.

The store borrows the objects of the repository. What is new is written as loose objects
(https://git-scm.com/docs/gitformat-loose), which any reader of git objects then finds by their ids.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reviewbot.change.git import Repository
from reviewbot.change.hardening import make_store
from reviewbot.core import Sha
from reviewbot.errors import RepositoryError


@contextmanager
def patched(
    repository: Repository, head: Sha, files: Mapping[str, bytes]
) -> Iterator[tuple[Repository, Sha]]:
    """A repository that also holds the tree of ``head`` with the contents of ``files``, and that tree's id.

    The files must be there in ``head``; their modes stay. Raises RepositoryError where one is not.
    """
    root = repository.resolve(head, "tree")
    if root is None:
        raise RepositoryError(f"The tree of {head} is not in this clone.")
    with tempfile.TemporaryDirectory(prefix="reviewbot-patched-") as name:
        store = make_store(Path(name) / "store", repository.object_format)
        (store / "objects" / "info").mkdir()
        borrowed = repository.common_dir.resolve() / "objects"
        (store / "objects" / "info" / "alternates").write_text(f"{borrowed}\n")
        writer = _Writer(repository, store / "objects")
        blobs = {path: writer.write("blob", data) for path, data in files.items()}
        tree = writer.replace(root, blobs, "")
        with Repository(store, fetch_missing=repository.fetch_missing) as held:
            yield held, tree


class _Writer:
    """Loose objects of one hash in one folder."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        self._hash = hashlib.new(repository.object_format, usedforsecurity=False)

    def write(self, kind: str, data: bytes) -> Sha:
        """Write an object and return its id."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        digest = self._hash.copy()
        digest.update(whole)
        name = digest.hexdigest()
        place = self._folder / name[:2] / name[2:]
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(zlib.compress(whole))
        return name

    def replace(self, tree: Sha, blobs: Mapping[str, Sha], folder: str) -> Sha:
        """The tree with other blobs below ``folder``: names stay, so the order of the entries stays, too."""
        below: dict[str, dict[str, Sha]] = {}
        for path, sha in blobs.items():
            first, _, rest = path.partition("/")
            below.setdefault(first, {})[rest] = sha
        rows = []
        for mode, name, raw in _entries(self._repository.read_object(tree), self._hash.digest_size):
            inside = below.pop(name.decode("utf-8", "surrogateescape"), None)
            if inside is None:
                rows.append(mode + b" " + name + b"\0" + raw)
                continue
            if (mode == b"40000") == ("" in inside):
                raise RepositoryError(f"{folder}{name!a} is not a file of head.")
            own = inside.get("") or self.replace(raw.hex(), inside, f"{folder}{name!a}/")
            rows.append(mode + b" " + name + b"\0" + bytes.fromhex(own))
        if below:
            raise RepositoryError(f"{folder}{next(iter(below))!a} is not in head.")
        return self.write("tree", b"".join(rows))


def _entries(data: bytes, size: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Mode, name and raw id of each entry of a tree object."""
    at = 0
    while at < len(data):
        space, end = data.index(b" ", at), data.index(b"\0", at)
        yield data[at:space], data[space + 1 : end], data[end + 1 : end + 1 + size]
        at = end + 1 + size
