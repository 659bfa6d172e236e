"""One process at a time in the folder of a run.

The lock is a `flock` on the folder itself: it ends with its process, whatever ends that, and it leaves no file. A
file system that has no such locks, as some of networks have none, is measured on without.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..console.errors import InputError

NO_LOCKS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class FolderIdentity(NamedTuple):
    """Which folder it is, whatever its path."""

    device: int
    inode: int


class Holder(NamedTuple):
    """The thread that measures in a folder, and the folder's descriptor, which has the lock."""

    thread: int
    descriptor: int


HOLDERS: dict[FolderIdentity, Holder] = {}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within it no other process and no other thread measures in a folder; the same thread may enter it again.

    Raises:
        InputError: another one does.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        identity = _identity(os.fstat(descriptor))
        holder = HOLDERS.get(identity)
        if holder and holder.thread == threading.get_ident():
            yield
            return
        _lock(descriptor, folder)
        HOLDERS[identity] = Holder(threading.get_ident(), descriptor)
        try:
            check_locked(folder)
            yield
        finally:
            del HOLDERS[identity]
            _unlock(descriptor)  # closing alone would leave it to a child that is just being forked
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl  # not on Windows, where records can be read all the same

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"another process is measuring in {folder}; wait for its end, or name another folder"
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _unlock(descriptor: int) -> None:
    import fcntl

    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def check_locked(folder: Path) -> None:
    """Raise InputError unless this process holds the lock of the folder that has this path now."""
    try:
        identity = _identity(os.stat(folder))
    except FileNotFoundError:
        raise InputError(f"{folder}: was removed while it was measured in; start a new run") from None
    if identity not in HOLDERS:
        raise InputError(f"{folder}: is not the folder that this process measures in; start a new run")


def _identity(status: os.stat_result) -> FolderIdentity:
    return FolderIdentity(status.st_dev, status.st_ino)


def _let_go() -> None:
    """In a child that is forked: the lock is the parent's alone, and must not outlive it in a child."""
    for holder in HOLDERS.values():
        os.close(holder.descriptor)
    HOLDERS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
