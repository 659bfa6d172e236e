"""`samestep compare`: pytest drives the run, so that both ways of starting it are one run and one record."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import backends
from benchmarks import plugin
from benchmarks.choices import pick
from benchmarks.errors import InputError
from benchmarks.files import load, write_text
from benchmarks.measure.folder import Folder
from benchmarks.plugin import BENCH
from benchmarks.record import KEY, WHOLE, Certified
from benchmarks.report import certificates, tables
from benchmarks.session import Options, by_tier, resolve

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
    print(tables.plain(load(written), width=_width()))
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
    print(tables.plain(found, width=_width()))
    done = f"{len(found.blocks)} of {found.plan.effort.blocks} blocks are in {folder / WHOLE}"
    return f"{done}; go on with: samestep compare --resume {folder}"


def _width() -> int:
    return max(80, min(120, os.get_terminal_size().columns)) if sys.stdout.isatty() else 100


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


def parity(options: Options, file: str | None, against: str | None = None) -> int:
    """Certify every lane on every task and print the table; 1 if any lane is not proven.

    `against`: a further lane; the table shows how far each lane's final parameters are from its.
    """
    from benchmarks.measure import certify
    from benchmarks.progress import progress

    if against and options.lane:
        options = replace(options, lane=[*options.lane, against])
    asked = resolve(options, race=False)
    if against and pick("lane", against, by_tier(backends.names())) in asked.missing:
        raise InputError(f"--against {against}: it cannot run here: {asked.missing[against]}")
    if file and not Path(file).absolute().parent.is_dir():
        raise InputError(f"--json {file}: there is no folder {Path(file).parent}; make it first")
    with progress() as report:
        found = certify(asked.tasks, asked.lanes, device=asked.device, progress=report)
    print(certificates.parity(found, asked.missing | asked.left_out, width=_width(), against=against))
    if file:
        write_text(file, json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    return int(any(unproven(each, found) for each in found))


def unproven(each: Certified, found: Sequence[Certified]) -> bool:
    """Whether a lane failed; one that diverged has, where another lane of the task did not."""
    if each.certificate.status == "diverged":
        return any(other.task == each.task and other.certificate.status == "pass" for other in found)
    return each.certificate.status != "pass"
