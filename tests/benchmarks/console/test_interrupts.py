"""Ctrl-C where Python drops it: in a callback of the garbage collector and in a destructor."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samestep.benchmarks import cli
from samestep.benchmarks.commands import list as listing
from samestep.benchmarks.console.interrupts import interrupts_delivered
from samestep.benchmarks.console.progress import progress

WAIT_S = 20.0  # far longer than it takes to come again


def in_a_collector_callback() -> None:
    def callback(*_: Any) -> None:
        gc.callbacks.remove(callback)
        signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(callback)
    gc.collect()


def in_a_destructor() -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    Dying()


@pytest.mark.slow
@pytest.mark.parametrize("press", [in_a_collector_callback, in_a_destructor])
@pytest.mark.parametrize("run", [interrupts_delivered, progress])
def test_an_interrupt_that_python_dropped_comes_again(
    press: Callable[[], None], run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """It does not come out of the callback, but soon after; it leaves no trace on stderr, and the hook goes."""
    hook, passed = sys.unraisablehook, list[float]()

    def work() -> None:
        press()
        passed.append(time.monotonic())
        time.sleep(WAIT_S)

    with pytest.raises(KeyboardInterrupt), run():
        work()
    assert passed
    assert time.monotonic() - passed[0] < WAIT_S
    assert sys.unraisablehook is hook
    assert capfd.readouterr().err == ""


def test_it_is_looked_for_in_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seen = sys.unraisablehook, list[Any]()
    monkeypatch.setattr(listing, "text", lambda: seen.append(sys.unraisablehook))
    with pytest.raises(SystemExit):
        cli.main(["list"])
    assert len(seen) == 1
    assert seen[0] is not before


DROPPED_WHILE_COLLECTING = """
import gc, signal
from samestep.benchmarks import cli
from samestep.benchmarks.measure.benchmark_run import BenchmarkRun

def callback(*_):
    gc.callbacks.remove(callback)
    signal.raise_signal(signal.SIGINT)

def race(self, blocks=None, race=BenchmarkRun.race):
    gc.callbacks.append(callback)
    gc.collect()
    return race(self, blocks)

BenchmarkRun.race = race
cli.main("compare --effort smoke --task lesson --lane numpy --baseline numpy --out run".split())
"""


@pytest.mark.slow
def test_a_comparison_hears_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DROPPED_WHILE_COLLECTING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    assert "samestep: interrupted; " in done.stderr


def test_other_dropped_exceptions_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    other = SimpleNamespace(exc_type=ValueError)
    with interrupts_delivered():
        sys.unraisablehook(other)  # type: ignore[arg-type]
    assert told == [other]
