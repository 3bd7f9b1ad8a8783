"""Where compiled kernels are kept between processes."""

import functools
import hashlib
import os
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from torchlinear.errors import TorchlinearWarning

__all__ = ["folder"]


@functools.cache
def folder() -> Path | None:
    """Return a writable folder for the compiled kernels, made if need be; without any, None and one warning.

    In this order: the environment's `NUMBA_CACHE_DIR`, the user's cache folder, a private folder among the
    temporary files. Its last part is a hash of the kernels' source, because Numba itself notices changes only
    in the file of the kernel that it loads, not in those of the functions that the kernel calls.
    """
    for base in _candidates():
        path = base / f"torchlinear-{_fingerprint()}"
        if _writable(path):
            return path
    warnings.warn(
        "No folder for compiled kernels can be written, so every process compiles them again (seconds); "
        "set NUMBA_CACHE_DIR to a folder that can be written.",
        TorchlinearWarning,
        stacklevel=2,
    )
    return None


def _candidates() -> Iterator[Path]:
    if asked := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(asked)
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "torchlinear" / "Cache"
    elif sys.platform == "darwin":
        yield home / "Library" / "Caches" / "torchlinear"
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "torchlinear"
    if (private := _private()) is not None:
        yield private


def _private() -> Path | None:
    """Return this user's own folder among the temporary files; None if somebody else could write to it."""
    try:
        path = Path(tempfile.gettempdir()) / f"torchlinear-{_user()}"
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    # Loading a cached kernel runs code, so a folder that another user has prepared must not be taken.
    ours = sys.platform == "win32" or (found.st_uid == os.getuid() and not found.st_mode & 0o077)
    return path if stat.S_ISDIR(found.st_mode) and ours else None


def _user() -> str:
    return str(os.getuid()) if sys.platform != "win32" else "cache"


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
