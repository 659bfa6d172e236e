"""The coordinator's side of a worker: start it, ask it, watch its time and memory, end it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import psutil
from pydantic import BaseModel

from samestep.backends.interface import Device

from ..console.errors import CUT
from ..record import Threads
from ..record.files import first_fault, reread
from . import compiler_cache, settings
from .outside_clock import OutsideClock
from .process_tree import ProcessTree, oom_kills
from .worker import BEGUN, CPUS, ENDED, Reply

M = TypeVar("M", bound=BaseModel)
ONE_THREAD = dict.fromkeys(
    [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")]
    + ["VECLIB_MAXIMUM_THREADS"],
    "1",
)
SETTINGS = {
    "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no pool of compilers beside what is timed
    "JAX_ENABLE_COMPILATION_CACHE": "false",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
FAILURE_PHASES = {
    "open": "import",
    "pin": "start",
    "load": "data",
    "first": "first call",
    "certify": "certificate",
    "train": "training",
    "ready": "slice",
    "go": "slice",
    "report": "slice",
    "trace_again": "audit",
    "run_again": "audit",
}
LAST_BYTES = 4096
POLL_S = 0.25  # how often the memory of a busy worker is read
DEATH_S = 5.0  # how long a worker that has closed its pipe may take to end


class WorkerError(Exception):
    """A request that came to nothing, in one line. `alive`: the worker can still be asked for other things."""

    def __init__(self, verb: str, reason: str, *, alive: bool) -> None:
        super().__init__(reason)
        self.verb, self.alive = verb, alive


def described(kind: type[M], verb: str, values: Mapping[str, Any]) -> M:
    """The piece of a record that a reply describes, as it will be read from a file.

    Raises:
        WorkerError: it describes none, so that a record with it could not be read.
    """
    try:
        return reread(kind, values)
    except (ValueError, RecursionError) as error:
        reason = f"its answer is not as a record has it ({first_fault(error)})"
        raise WorkerError(verb, reason, alive=True) from error


def worker_environment(
    *, threads: Threads, cpus: Sequence[int], device: Device, cache: Path, rng: np.random.Generator
) -> dict[str, str]:
    """The environment variables of a worker: thread limits before any import, a hash seed, a random size.

    A worker imports from where this process does, but never from the current folder: a file there that is called
    numpy.py would run in place of NumPy. Of this process's variables it gets those that leave the work as it is.
    """
    variables = settings.for_workers(os.environ)
    variables["PYTHONPATH"] = os.pathsep.join(str(Path(folder).resolve()) for folder in sys.path if folder)
    variables["PYTHONSAFEPATH"] = "1"
    variables["PYTHONHASHSEED"] = str(rng.integers(2**32))
    variables["SAMESTEP_PADDING"] = "x" * int(rng.integers(4096))  # moves the stack
    variables["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    variables["TRITON_CACHE_DIR"] = str(cache / "triton")
    variables["NUMBA_CACHE_DIR"] = str(cache / "numba")
    variables["NUMBA_NUM_THREADS"] = "1"  # a loop that is to run in parallel says so, and none here does
    if not compiler_cache.is_one_word(tempfile.gettempdir()):
        variables["TMPDIR"] = str(compiler_cache.temporary_folder())
    if threads == "one":
        variables[CPUS] = ",".join(str(cpu) for cpu in cpus)
    return variables | worker_settings(threads=threads, device=device)


def worker_settings(*, threads: Threads, device: Device) -> dict[str, str]:
    """The libraries' settings that every worker gets, whatever the coordinator has."""
    variables = dict(SETTINGS)
    if device.kind == "cpu":
        variables["JAX_PLATFORMS"] = "cpu"
    if threads == "one":
        variables |= ONE_THREAD
        if not hasattr(os, "sched_setaffinity"):  # nothing else holds XLA to one thread there
            flags = (
                f"{settings.for_workers(os.environ).get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
            )
            variables["XLA_FLAGS"] = flags.strip()
    return variables


def without_folders(text: str) -> str:
    """A message without this machine's folders: of every path only the last part stays."""
    return re.sub(r"(?:/[^\s/:'\"]+)+/", "", text)


def check_room(reason: str) -> None:
    """Raise OSError where a worker's failure is one of the disk: it ends the run, and can be made good."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if os.strerror(code) in reason:
            raise OSError(code, os.strerror(code))
    if CUT.search(reason):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Worker:
    """A fresh process that serves `samestep.benchmarks.measure.worker`."""

    def __init__(self, environment: dict[str, str], *, memory: int) -> None:
        self.memory = memory
        self.errors, name = tempfile.mkstemp()
        os.unlink(name)
        command = [sys.executable, "-m", "samestep.benchmarks.measure.worker"]
        self.tree = ProcessTree(command, environment, self.errors)
        assert self.tree.guard.stdin
        assert self.tree.guard.stdout
        self.requests, self.pipe = self.tree.guard.stdin, self.tree.guard.stdout
        self.oom_kills = oom_kills()  # when it last answered
        self.replies, self.paused, self.unstoppable = b"", False, False
        self.lock = threading.Lock()  # one request at a time

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.tree.pid

    def descendants(self) -> tuple[int, ...]:
        """The numbers of all living processes that it has started, and of those that they have."""
        return self.tree.descendants()

    def cpu_ns(self) -> int:
        """CPU time so far of its process and of everything that it has started, in nanoseconds."""
        return self.tree.cpu_ns()

    def ask(self, verb: str, *, limit: float, clock: OutsideClock | None = None, **arguments: Any) -> Reply:
        """The worker's reply within `limit` seconds.

        The clock begins and ends when lines before the reply say so; each time the worker waits until it has.

        Raises:
            WorkerError: it raised, died, hung or outgrew its memory.
            OSError: there was no room for a file of it, which is no fault of a lane.
        """
        if self.paused:
            self.tree.resume()
            self.paused = False
        request = json.dumps({"verb": verb, **arguments}, allow_nan=False).encode() + b"\n"
        with self.lock:
            if self.pipe.closed:
                raise WorkerError(verb, "closed", alive=False)
            self._write(verb, request)
            line, reason = self._line(limit)
            if clock:
                for mark, read in ((BEGUN, clock.begin), (ENDED, clock.end)):
                    if line == mark:
                        read()
                        self._write(verb, b"\n")
                        line, reason = self._line(limit)
            else:  # where nobody takes the time
                self.oom_kills = oom_kills()
        if reason:
            check_room(reason)
            raise WorkerError(verb, reason, alive=False)
        try:
            reply: Reply = dict(json.loads(line))
        except (TypeError, ValueError):
            raise WorkerError(verb, "its answer is not JSON", alive=True) from None
        if "error" in reply:
            check_room(reply["error"])
            raise WorkerError(verb, without_folders(reply["error"]), alive=True)
        return reply

    def pause(self) -> None:
        """Stop it, and all that it has started, until it is asked again: nothing of it runs beside others.

        What cannot be stopped is ended.
        """
        self.paused = True
        if not self.tree.pause():
            self.unstoppable = True
            self.kill()

    def _write(self, verb: str, line: bytes) -> None:
        try:
            self.requests.write(line)
            self.requests.flush()
        except BrokenPipeError:  # ended before it could read
            raise WorkerError(verb, self._death(), alive=False) from None

    def _line(self, limit: float) -> tuple[bytes, str | None]:
        """The next whole line of its replies, or why there will be none; then it has been ended."""
        pipe, channel, deadline = self.pipe.fileno(), self.tree.channel.fileno(), time.monotonic() + limit
        while b"\n" not in self.replies:
            wait = min(POLL_S, max(0.0, deadline - time.monotonic()))
            ready = select.select([pipe, channel], [], [], wait)[0]
            if pipe in ready:
                if not (chunk := os.read(pipe, 1 << 20)):
                    return b"", self._death()
                self.replies += chunk
            elif ready and self.tree.has_ended():  # whoever else still holds the pipe
                return b"", self._death()
            if (late := time.monotonic() > deadline) or not ready:
                if (used := self.tree.resident(self.memory)) > self.memory:
                    allowed = f"{used >> 20} MiB of {self.memory >> 20} MiB allowed"
                    return b"", self._end(f"out of memory: {allowed}")
                if late:
                    return b"", self._end(f"hung: no answer within {limit:g} s")
        line, _, self.replies = self.replies.partition(b"\n")
        return line, None

    def _death(self) -> str:
        """How it ended: by which signal or with which status, and the last line of its standard error."""
        code = self.tree.exit_code(DEATH_S)
        self.kill()
        if self.unstoppable:
            return "it could not be stopped for the slices of others"
        if code is not None:
            how = self._cause(code)
        elif guard_code := self.tree.guard.returncode:
            how = f"its guard {self._cause(guard_code)}"
        else:
            how = "closed its pipe"
        last_line = self._last_line()
        return f"{how}: {last_line}" if last_line else how

    def _cause(self, code: int) -> str:
        """An exit code in words."""
        if code >= 0:
            return f"exited with status {code}"
        if -code == signal.SIGKILL and oom_kills() > self.oom_kills:
            return "killed by the system: out of memory"
        known = {number.value: number.name for number in signal.Signals}
        return f"died of {known.get(-code, f'signal {-code}')}"

    def _end(self, reason: str) -> str:
        self.kill()
        return reason

    def _last_line(self) -> str:
        """The last line of its standard error."""
        size = os.fstat(self.errors).st_size
        lines = (
            os.pread(self.errors, LAST_BYTES, max(0, size - LAST_BYTES)).decode(errors="replace").splitlines()
        )
        last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return without_folders(last_line)[:300]

    def kill(self) -> None:
        """End it and whatever it started."""
        self.tree.kill()

    def close(self) -> None:
        """End it, and let go of its files once nobody waits for an answer any more; again, it does nothing."""
        self.kill()
        with self.lock, contextlib.suppress(BrokenPipeError):
            if self.pipe.closed:
                return
            self.pipe.close()
            self.tree.close()
            os.close(self.errors)
            self.requests.close()


class WorkerPool:
    """The workers of one block or phase; on the way out, however that happens, all are ended."""

    def __init__(self, memory: int | None = None) -> None:
        self.memory = memory or psutil.virtual_memory().available // 2
        self.workers: list[Worker] = []
        self.lock = threading.Lock()
        self.closed = False

    def start(self, environment: dict[str, str]) -> Worker:
        """A new worker.

        Raises:
            WorkerError: the pool has been closed.
        """
        with self.lock:
            if self.closed:
                raise WorkerError("start", "interrupted", alive=False)
            self.workers.append(Worker(environment, memory=self.memory))
            return self.workers[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.lock:
            self.closed = True
        for worker in self.workers:
            worker.close()
