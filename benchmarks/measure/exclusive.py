"""The folder of a run for one process alone, and its errors as one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ..console.errors import InputError, cause
from ..console.interrupts import raise_interrupts
from ..record import WHOLE
from ..record.files import remove_partial
from .folder import TABLE, RunFolder
from .run_lock import locked

P = ParamSpec("P")
T = TypeVar("T")
H = TypeVar("H", bound="HasFolder")


@contextmanager
def made_folder(out: Path, *, make: bool = True) -> Iterator[RunFolder]:
    """The folder of a run, made where it is absent unless `make` is false, for this process alone to write to.

    Raises:
        InputError: another process writes to it, or it cannot be made or written to.
    """
    raise_interrupts()
    folder = RunFolder(out)
    try:
        if make:
            out.mkdir(parents=True, exist_ok=True)
        with locked(out):
            for name in (WHOLE, TABLE):  # of a process that was killed
                remove_partial(out / name)
            yield folder
    except OSError as error:
        again = f"what was measured is kept; then go on with --resume {out}"
        remedy = again if folder.begun else "choose another folder with --out"
        raise InputError(f"{error.filename or out}: {cause(error)}; {remedy}") from error


class HasFolder(Protocol):
    """What `alone` takes methods of."""

    folder: RunFolder


def alone(method: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[H, P], T]:
    """A method that runs while no other process writes to its run's folder."""

    @wraps(method)
    def holding(run: H, /, *arguments: P.args, **options: P.kwargs) -> T:
        with made_folder(run.folder.run, make=False):
            return method(run, *arguments, **options)

    return holding
