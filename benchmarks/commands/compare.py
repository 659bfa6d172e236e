"""`samestep compare`: pytest drives the run, so that both ways of starting it are one run and one record."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from .. import pytest_plugin as plugin
from ..console.errors import InputError
from ..console.terminal import width
from ..measure.folder import Folder
from ..measure.options import Options, resolve
from ..pytest_plugin import BENCH
from ..record import KEY, WHOLE
from ..record.files import load, write_text
from ..report import tables

INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended


class Stopped:
    """Hears why pytest left early: pytest.exit with a reason, or Ctrl-C without."""

    reason: str | None = None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.reason = str(excinfo.value.msg)


def compare(options: Options) -> int:
    """Measure and print the comparison; 0, or 1 when a lane failed its proof or its run.

    130 when it was interrupted; what was measured has been kept and printed.

    Raises:
        InputError: the options or the data cannot be used.
    """
    asked = resolve(options)
    _make(asked.out)
    log, stopped = asked.out / "pytest.log", Stopped()
    os.environ.pop("PYTEST_ADDOPTS", None)  # a project's own options are not for this run
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        place = {} if asked.resumed else {"out": str(asked.out)}
        # the plugin itself and not its name, which would have it imported a second time
        code = int(pytest.main(_arguments(asdict(options) | place), plugins=[plugin, stopped]))
    if stopped.reason:
        log.unlink()
        raise InputError(stopped.reason)
    if code == pytest.ExitCode.INTERRUPTED:
        print(f"samestep: interrupted; {_kept(asked.out)}", file=sys.stderr)
        return INTERRUPTED
    written = asked.out / WHOLE
    if not written.exists():
        print(f"samestep: nothing was measured; {log} says why", file=sys.stderr)
        return 1
    print(tables.plain(load(written), width=width()))
    print(f"\nrecord: {written}")
    return int(code != 0)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder with --out"
        ) from error


def _kept(folder: Path) -> str:
    """Print what an interrupted run had measured, and say where it is."""
    try:
        found = Folder(folder).record()
    except InputError:
        return "nothing was measured yet"
    if not found.blocks:
        return f"no block was finished yet; go on with: samestep compare --resume {folder}"
    write_text(folder / WHOLE, json.dumps({KEY: found.model_dump(mode="json")}))
    print(tables.plain(found, width=width()))
    done = f"{len(found.blocks)} of {found.plan.effort.blocks} blocks are in {folder / WHOLE}"
    return f"{done}; go on with: samestep compare --resume {folder}"


def _arguments(options: dict[str, Any]) -> list[str]:
    """pytest's words for the options, and nothing of whatever project we stand in."""
    words = [str(BENCH), "--benchmark-only", "-c", os.devnull, "--rootdir", str(BENCH.parent)]
    words += ["-p", "no:cacheprovider", "--noconftest", "-q"]
    words += ["-p", "no:unraisableexception"]  # with it, pytest would keep for itself what `kept` looks for
    for name, value in options.items():
        if isinstance(value, bool):
            words += [f"--{name}"] if value else []
            continue
        given = value if isinstance(value, list | tuple) else [value]
        words += [f"--{name}={each}" for each in given if each is not None]
    return words
