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
from samestep.benchmarks.console import interrupts
from samestep.benchmarks.console.interrupts import Terminated, interrupts_delivered
from samestep.benchmarks.console.progress import progress
from tests.helpers.processes import hears, side_by_side, without_progress

WAIT_S = 20.0  # far longer than it takes to come again


def in_a_collector_callback() -> None:
    def callback(*_: Any) -> None:
        gc.callbacks.remove(callback)
        signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(callback)
    gc.collect(0)  # a collection of all may take longer than the interrupt takes to come again


def in_a_destructor() -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    Dying()


@pytest.mark.slow
@pytest.mark.parametrize("press", [in_a_collector_callback, in_a_destructor])
@pytest.mark.parametrize("run", [interrupts_delivered, progress])
def test_an_interrupt_that_python_dropped_comes_again(
    press: Callable[[], None], run: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It does not come out of the callback, but soon after; it leaves no trace on stderr, and the hook goes."""
    monkeypatch.setattr(interrupts, "RESEND_S", 0.5)
    hook, passed = sys.unraisablehook, list[float]()

    def work() -> None:
        press()
        passed.append(time.monotonic())
        while time.monotonic() - passed[0] < WAIT_S:
            time.sleep(0.01)  # a signal between Python's last look and a sleep does not end that sleep

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


@pytest.mark.parametrize(("kind", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupted_command_is_one_line_and_the_code_of_its_signal(
    kind: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def text() -> str:
        raise kind

    monkeypatch.setattr(listing, "text", text)
    with pytest.raises(SystemExit) as end:
        cli.main(["list"])
    assert end.value.code == code
    assert capsys.readouterr() == ("", "samestep: interrupted; nothing more was written\n")


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

BenchmarkRun.certify, BenchmarkRun.race = lambda self: None, race
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_in_the_first_seconds_is_one_line(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Whatever is being imported, planned or loaded then; a run that has just begun may say how to go on."""
    job = ["--effort", "standard", "--task", "lesson", "--lane", "numpy", "--baseline", "numpy"]

    def run(delay: float) -> tuple[bool, int, str, str]:
        command = [sys.executable, "-m", "samestep", "compare", *job, "--out", f"run-{delay}"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=tmp_path, text=True, start_new_session=True, **pipes) as process:
            time.sleep(delay)
            heard = hears(process.pid, signal.SIGTERM)  # Python itself has no handler for that
            process.send_signal(number)
            out, err = process.communicate(timeout=300)
        return heard, process.returncode, out, err

    delays, started = (5.0, 2.5, 1.2, 0.6, 0.3, 0.15), 0  # the longest first: none is waited for alone
    ended = side_by_side(run, [(one,) for one in delays])
    for delay, (heard, left, out, err) in zip(delays, ended, strict=True):
        if not heard:  # the command line had not started yet
            continue
        started += 1
        said = without_progress(err)
        assert left == code, (delay, err)
        assert len(said) == 1, (delay, err)
        assert said[0].startswith("samestep: interrupted; "), (delay, err)
        assert out == "" or "SPEED" in out
    assert started


IN_AN_IMPORT = """
import builtins, signal, sys
from samestep import __main__ as program
before = builtins.__import__
def load(name, *rest):
    if name == "numpy":  # an interrupt in there comes out as an ImportError of NumPy's own
        signal.raise_signal({number})
        raise ImportError("numpy's C extensions could not be imported")
    return before(name, *rest)
builtins.__import__ = load
sys.argv = ["samestep", "table", "nowhere"]
program.command_line()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(int(signal.SIGINT), 130), (int(signal.SIGTERM), 143)])
def test_a_signal_in_an_import_is_not_an_import_error(number: int, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_AN_IMPORT.replace("{number}", str(number))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr == "samestep: interrupted; nothing was written\n"
