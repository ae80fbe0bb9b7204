"""Writing results so that an interruption or a full disk never leaves half of one.

A file is written beside its place and moved there when it is whole: what was there before stays until then.
"""

import errno
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def told_when_full(folder: Path):
    """Turns the system's "no space left" into a sentence; everything saved so far stays."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SystemExit(f"the disk of {folder} is full: free some space and give the same command again, "
                         "it goes on from what is saved") from error
    except RuntimeError as error:  # torch's own writer
        if "write" not in str(error).lower():
            raise
        raise SystemExit(f"{folder} cannot be written ({error}): free some space and give the same command again, "
                         "it goes on from what is saved") from error


def replace(path: Path, write: Callable[[Path], None]):
    """Calls `write` with a temporary path and moves the result to `path`."""
    partial = path.with_name(path.name + ".partial")
    try:
        with told_when_full(path.parent):
            write(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def reserve(path: Path, size: int):
    """Takes `size` bytes of disk for `path` now, so that a memory map of it cannot run out later."""
    with told_when_full(path.parent), path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, size)
