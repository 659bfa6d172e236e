"""The file itself: its kind by its name, and its bytes without compression, where DuckDB may read them.

DuckDB takes a pattern or a network address for a name. So it gets a plain name in a private folder, which is a
link to the file or, where the file is compressed, holds its content.
"""

from __future__ import annotations

import gzip
import importlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, TypeAlias

from ...console.errors import InputError

Kind: TypeAlias = Literal["text", "parquet", "arrow"]
KINDS: dict[str, Kind] = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".data"), "text"),
    ".parquet": "parquet",
    **dict.fromkeys((".feather", ".arrow"), "arrow"),
}
COMPRESSED = (".gz", ".zst", ".zip")
TAKEN = f"a file whose name ends in {', '.join(KINDS)}, or in one of these and {', '.join(COMPRESSED)}"
PIECE = 1 << 20  # bytes at once


class PlainFile(NamedTuple):
    """The content of a file, not compressed: `path` lies in `folder`, which is private; `name` is the user's."""

    name: str
    path: Path
    kind: Kind
    folder: Path


@contextmanager
def opened(name: str, most_bytes: int | None = None) -> Iterator[PlainFile]:
    """A file of the user's, to read from for a while; of compressed ones no more than `most_bytes` are written.

    Raises:
        InputError: there is no such file, its kind is unknown, or it cannot be decompressed.
    """
    check_is_file(name)
    suffix, packing = suffixes(name)
    with tempfile.TemporaryDirectory(prefix="samestep-") as place:
        folder = Path(place)
        content = folder / "content"
        if packing:
            suffix = _unpacked(name, packing, content, most_bytes) or suffix
        if suffix not in KINDS:
            raise InputError(
                f"{name}: cannot tell its format from {suffix or Path(name).name!r}; give {TAKEN}"
            )
        plain = folder / f"table{suffix}"
        if packing:
            content.rename(plain)
        else:
            _link(name, plain)
        yield PlainFile(name, plain, KINDS[suffix], folder)


def check_is_file(name: str) -> None:
    """Raise InputError unless there is a file of that name."""
    if os.path.isdir(name):  # unlike Path's, these never raise, whatever the name
        raise InputError(f"{name}: is a directory; give {TAKEN}")
    if not os.path.exists(name):
        raise InputError(f"{name}: no such file; give the path of {TAKEN}")
    if not os.path.isfile(name):  # a pipe would be waited for without end
        raise InputError(f"{name}: is a pipe or a device; write it to a .csv or .parquet file first")


def suffixes(name: str) -> tuple[str, str]:
    """How a name ends: the suffix of its kind, and that of its compression or nothing."""
    path = Path(name.lower())
    if path.suffix in COMPRESSED:
        return Path(path.stem).suffix, path.suffix
    return path.suffix, ""


def _link(name: str, plain: Path) -> None:
    try:
        plain.symlink_to(os.path.abspath(name))
    except OSError:  # a file system without links
        shutil.copyfile(name, plain)


# --- compression ----------------------------------------------------------------------------------------------


def _unpacked(name: str, packing: str, content: Path, most_bytes: int | None) -> str:
    """Write what a compressed file holds; gives the suffix of the file in an archive."""
    try:
        if packing == ".zip":
            return _unzipped(name, content, most_bytes)
        packer: Any = gzip if packing == ".gz" else _zstd(name)
        with packer.open(name, "rb") as source:
            _copy(name, source, content, most_bytes)
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{name}: cannot be decompressed ({error}): write it again") from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # of a module that need not be there
            raise
        raise InputError(f"{name}: cannot be decompressed ({error}): write it again") from error
    return ""


def _unzipped(name: str, content: Path, most_bytes: int | None) -> str:
    with zipfile.ZipFile(name) as archive:
        members = [item.filename for item in archive.infolist() if not item.is_dir()]
        members = [member for member in members if not member.startswith("__MACOSX/")]
        tables = [member for member in members if Path(member.lower()).suffix in KINDS]
        if len(tables) != 1:
            raise InputError(f"{name}: holds {len(tables)} tables, not one: unpack it and name a file")
        with archive.open(tables[0]) as source:
            _copy(name, source, content, most_bytes)
    return Path(tables[0].lower()).suffix


def _zstd(name: str) -> Any:
    """The module for Zstandard: Python's own since 3.14, or its backport."""
    for module in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise InputError(f"{name}: reading .zst needs backports.zstd: pip install 'samestep[data]'")


def _copy(name: str, source: IO[bytes], content: Path, most_bytes: int | None) -> None:
    written = 0
    with content.open("wb") as target:
        while piece := source.read(PIECE):
            written += len(piece)
            if most_bytes is not None and written > most_bytes:
                raise InputError(f"{name}: holds more than {most_bytes:,} bytes")
            target.write(piece)
