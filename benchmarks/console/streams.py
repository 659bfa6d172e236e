"""Standard streams that may be closed, full, without a reader or too narrow, and end no command."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from typing_extensions import Buffer

PLAIN = {"─": "-", "±": "+-", "²": "^2", "◆": "*", "◇": "o"}  # for those of the tables


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """A character that the stream's encoding lacks as others that it has, or as Python escapes it."""
    if isinstance(error, UnicodeEncodeError) and (text := PLAIN.get(error.object[error.start])):
        return text, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error("samestep", _plain)


class TolerantFile(io.RawIOBase):
    """A file that is written to without an error: what it cannot take is dropped from the first failure on.

    file: None where the stream has been closed.
    error: the first failure, None while there is none.
    """

    def __init__(self, file: io.RawIOBase | None) -> None:
        self.file = file
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """That of the file."""
        if self.file is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self.file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self.file is not None and self.file.isatty()

    def write(self, data: Buffer, /) -> int:
        """How much of the data has been written or dropped."""
        if self.error is None:
            try:
                if self.file is None:
                    raise OSError(errno.EBADF, "it is closed")
                while (written := self.file.write(data)) is None:  # a pipe that is full and does not block
                    select.select([], [self.file], [])
                return written
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def tolerant(stream: TextIO | None) -> TextIO:
    """A stream onto a file as one that raises nothing; None is a closed one, and others stay as they are."""
    buffer = getattr(stream, "buffer", None)
    file = getattr(buffer, "raw", buffer)  # the buffer is the file itself where PYTHONUNBUFFERED is set
    if stream and not isinstance(file, io.FileIO):
        return stream
    encoding, at_once = "utf-8", False
    if stream:
        _flush(stream)
        encoding, at_once = stream.encoding, file is buffer or stream.isatty()
    return io.TextIOWrapper(
        io.BufferedWriter(TolerantFile(file)), encoding=encoding, errors="samestep", line_buffering=at_once
    )


def _flush(stream: TextIO) -> None:
    """Hand on what is still in a stream that may raise."""
    with contextlib.suppress(OSError):
        stream.flush()


def failure(stream: TextIO) -> str | None:
    """Why a tolerant stream did not take everything; None where it did, or where its reader had enough."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, TolerantFile) else None
    return None if error is None or isinstance(error, BrokenPipeError) else error.strerror or str(error)


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Within it nothing that is printed raises, and no file that is opened takes a closed stream's number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number: this one
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = tolerant(sys.stdout), tolerant(sys.stderr)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
