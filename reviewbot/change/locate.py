"""Where a repository keeps its git folder, found without running anything."""

from pathlib import Path

from reviewbot.errors import RepositoryError


def find_git_dir(folder: Path) -> tuple[Path, Path | None]:
    """The git folder and work tree that ``folder`` belongs to; a bare one only where it is named itself."""
    try:
        here = folder.resolve(strict=True)
        if _is_git_dir(here):
            return here, None
        for place in (here, *here.parents):
            mark = place / ".git"
            if mark.is_dir() and _is_git_dir(mark):
                return mark, place
            if mark.is_file():
                target = mark.read_text("utf-8", "surrogateescape")[:4096].strip()
                git_dir = (place / target.removeprefix("gitdir:").strip()).resolve()
                if target.startswith("gitdir:") and git_dir.is_dir():
                    return git_dir, place
    except (OSError, ValueError, RuntimeError) as error:
        raise RepositoryError(f"The folder {str(folder)!a} cannot be read: {_why(error)}.") from None
    raise RepositoryError(f"{str(folder)!a} is not in a git repository.")


def _is_git_dir(place: Path) -> bool:
    return (place / "HEAD").exists() and (place / "objects").is_dir() and (place / "refs").is_dir()


def find_common_dir(git_dir: Path) -> Path:
    """Where the objects are: a linked work tree (git-worktree(1)) names its main one."""
    link = git_dir / "commondir"
    return (git_dir / link.read_text().strip()).resolve() if link.is_file() else git_dir


def _why(error: Exception) -> str:
    return (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "unreadable"
