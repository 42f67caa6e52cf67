"""What a partial store left out (git-clone(1), ``--filter``) and a review needs, in few fetches."""

from collections.abc import Callable, Iterable, Sequence

from reviewbot.change.entries import parse_diff_entries
from reviewbot.change.grep import SearchError
from reviewbot.core import Sha

MAX_SEARCHED_FILES = 2_000
"""Files that a search may fetch; their sizes are known only afterwards."""

_RAW = ("diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", "-z")


class Absent:
    """Fetches objects that are not here, each at most once.

    ``read`` asks the store with arguments of git, ``sizes`` for the objects that are here; without
    ``fetch`` nothing ever is fetched. All ids are full ones.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[Sha]], None] | None,
        read: Callable[..., bytes],
        sizes: Callable[[Iterable[Sha]], dict[Sha, int]],
    ) -> None:
        self._fetch_missing = fetch
        self._read = read
        self._sizes = sizes
        self._asked: set[Sha] = set()
        self._compared: set[tuple[Sha, Sha]] = set()

    def fetch(self, shas: Iterable[Sha]) -> bool:
        """Fetch what was not asked for before; whether there was anything to fetch and a way to."""
        fresh = [sha for sha in dict.fromkeys(shas) if sha not in self._asked]
        if not fresh or self._fetch_missing is None:
            return False
        self._fetch_missing(fresh)
        self._asked.update(fresh)
        return True

    def fetch_absent(self, shas: Sequence[Sha]) -> None:
        """Fetch those that are not here, in one call."""
        if self._fetch_missing is not None:
            here = self._sizes(shas)
            self.fetch(sha for sha in shas if sha not in here)

    def fetch_compared(self, base: Sha, head: Sha) -> None:
        """Fetch every blob that differs between two commits: to find renames git reads them all."""
        if self._fetch_missing is None or (base, head) in self._compared:
            return
        entries = parse_diff_entries(self._read(*_RAW, base, head))
        self.fetch_absent([sha for entry in entries for sha in entry.blobs])
        self._compared.add((base, head))

    def fetch_searched(self, tree: Sha, pathspec: Sequence[str]) -> None:
        """Fetch the files that a search through a commit or tree reads.

        Raises:
            SearchError: there are too many.
        """
        if self._fetch_missing is None:
            return
        rows = self._read("ls-tree", "-r", "-z", "--full-tree", tree, "--", *pathspec).split(b"\0")
        blobs = [row.split(b"\t")[0].split(b" ")[2].decode() for row in rows if row.startswith(b"100")]
        here = self._sizes(blobs)
        absent = {sha for sha in blobs if sha not in here}
        if len(absent) > MAX_SEARCHED_FILES:
            limit = f"{MAX_SEARCHED_FILES:,} is the limit"
            raise SearchError(f"The search would have to fetch {len(absent):,} files; {limit}.")
        self.fetch(sorted(absent))
