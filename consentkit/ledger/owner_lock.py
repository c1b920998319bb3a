"""Lock files that show whether their owner is alive: the system releases a lock when its process ends, however it ends."""

import os
import sys
import weakref
from pathlib import Path
from typing import Final

if sys.platform != "win32":  # pragma: no branch - Windows has no flock
    import fcntl

__all__ = ["HAS_FILE_LOCKS", "OwnerLock", "take_lock"]

HAS_FILE_LOCKS: Final = sys.platform != "win32"


class OwnerLock:
    """A lock file that this process holds until `release`, or until the object is garbage."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        # In a forked child this closes the child's copy, and the parent keeps its lock.
        self.release = weakref.finalize(self, os.close, descriptor)
        self.release.atexit = False


def take_lock(path: Path, *, create: bool = False) -> OwnerLock | None:
    """Lock a file without waiting. Return None if another process holds the lock, or has just removed the file.

    Raises:
        FileNotFoundError: there is no such file, and `create` is false.
        OSError: the file cannot be opened, or its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    lock = OwnerLock(path, descriptor)
    try:
        if sys.platform != "win32":  # pragma: no branch - Windows has no flock
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.release()
        return None
    # Whoever cleaned up after a dead owner may have removed the file between the two calls above.
    if not os.fstat(descriptor).st_nlink:
        lock.release()
        return None
    return lock
