"""Builds the image of the action as far as a machine without a container registry can.

The base is a stand-in: a minimal Debian with python3, venv and git, made once with debootstrap and kept
in the user's cache. It tests the Dockerfile's steps and the entrypoint, not the published base image.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reviewbot-tests"
PACKAGES = "ca-certificates,python3,python3-venv,git"
SUITE = "bookworm"
BASE = "localhost/reviewbot-test-base:bookworm"
IMAGE = "localhost/reviewbot-test:latest"
CERTIFICATES = Path("/etc/ssl/certs")


@cache
def storage() -> tuple[str, ...]:
    """Options of podman and buildah: images of our own in the cache, not copied for every run if that can be."""
    CACHE.mkdir(parents=True, exist_ok=True)
    below = run("stat", "--file-system", "--format=%T", str(CACHE)).strip()
    is_known = "overlay" in Path("/proc/filesystems").read_text().split()
    driver = "overlay" if is_known and below != "overlayfs" else "vfs"  # an overlay cannot lie on an overlay
    folders = ("--root", str(CACHE / driver), "--runroot", str(CACHE / f"{driver}-run"))
    return (*folders, "--storage-driver", driver)


def missing() -> str:
    """Why no image can be built and run here; empty where it can."""
    for program in ("podman", "buildah", "runc"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    if os.geteuid() != 0:
        return "the stand-in base is made by root only"
    archive = CACHE / f"{SUITE}.tar"
    if not archive.exists() and shutil.which("debootstrap", path="/usr/sbin:/usr/bin") is None:
        return "there is no base and no debootstrap to make one"
    return ""


def run(*arguments: str, check: bool = True, environment: Mapping[str, str] | None = None) -> str:
    """One program's output; raises with what it said where it fails."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    if check and done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        raise RuntimeError(f"{arguments[0]} {arguments[1]} ended with {done.returncode}:\n{said}")
    return done.stdout


def _has_image(name: str) -> bool:
    done = subprocess.run(["podman", *storage(), "image", "exists", name], capture_output=True, check=False)
    return done.returncode == 0


def make_base() -> None:
    """Import the stand-in base, made with debootstrap where the cache does not hold it yet."""
    if _has_image(BASE):
        return
    rootfs, archive = CACHE / "rootfs", CACHE / f"{SUITE}.tar"
    if not archive.exists():
        shutil.rmtree(rootfs, ignore_errors=True)
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(rootfs))
        run(
            "tar",
            "-C",
            str(rootfs),
            "--exclude=./var/cache/apt/archives/*.deb",
            "-cf",
            f"{archive}.part",
            ".",
        )
        Path(f"{archive}.part").rename(archive)
        shutil.rmtree(rootfs)
    run("podman", *storage(), "import", "--change", 'CMD ["python3"]', str(archive), BASE)


def build(scratch: Path) -> str:
    """Build the Dockerfile on the stand-in; pip's settings of this machine are only mounted."""
    make_base()
    mounts: list[str] = []
    for folder in (CERTIFICATES, *pip_folders()):
        mounts += ["-v", f"{folder}:{folder}:ro"]
    settings = scratch / "pip.conf"
    settings.write_text(pip_settings())
    settings.chmod(0o600)
    run(
        *("buildah", *storage(), "bud", "--isolation", "chroot", "--network", "host", "--pull-never"),
        *(
            "--build-arg",
            f"BASE={BASE}",
            *mounts,
            "-v",
            f"{settings}:/etc/pip.conf:ro",
            "-t",
            IMAGE,
            str(ROOT),
        ),
    )
    run("podman", *storage(), "image", "prune", "--force")  # the image that this one replaces
    return IMAGE


def _pip_options() -> dict[str, str]:
    listed = run(sys.executable, "-m", "pip", "config", "list")
    options = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    return {name: value.replace(r"\n", " ") for name, value in options.items() if name != "user"}


def pip_settings() -> str:
    """The machine's settings for pip as one file's text."""
    parser = configparser.ConfigParser(interpolation=None)
    parser["global"] = _pip_options()
    lines = [f"{name} = {' '.join(value.split())}" for name, value in parser["global"].items()]
    return "\n".join(["[global]", *lines, ""])


def pip_folders() -> Sequence[Path]:
    """The folders on disk that those settings name; an index on disk links to files beside it."""
    options = _pip_options()
    folders = []
    for name in ("index-url", "extra-index-url", "find-links"):
        for word in options.get(name, "").split():
            if word.startswith("file:") or "://" not in word:
                path = Path(unquote(urlsplit(word).path))
                folders.append(path.parent if name.endswith("index-url") else path)
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))
