"""The coordinator's side of a worker: start it, ask it, watch its time and memory, end it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil

from samestep.backends.interface import Device

from ..record import Threads
from .worker import CPUS, Reply

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
    "load": "data",
    "first": "first call",
    "certify": "certificate",
    "train": "training",
}
LAST_BYTES = 4096
POLL_S = 0.25  # how often the memory of a busy worker is read


class WorkerError(Exception):
    """A request that came to nothing, in one line. `alive`: the worker can still be asked for other things."""

    def __init__(self, verb: str, reason: str, *, alive: bool) -> None:
        super().__init__(reason)
        self.verb, self.alive = verb, alive


def worker_environment(
    *, threads: Threads, cpus: Sequence[int], device: Device, cache: Path, rng: np.random.Generator
) -> dict[str, str]:
    """The environment variables of a worker: thread limits before any import, a hash seed, a random size.

    A worker imports from where this process does, but never from the current folder: a file there that is called
    numpy.py would run in place of NumPy.
    """
    variables = dict(os.environ)
    variables["PYTHONPATH"] = os.pathsep.join(str(Path(folder).resolve()) for folder in sys.path if folder)
    variables["PYTHONSAFEPATH"] = "1"
    variables["PYTHONHASHSEED"] = str(rng.integers(2**32))
    variables["SAMESTEP_PADDING"] = "x" * int(rng.integers(4096))  # moves the stack
    variables["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    variables["TRITON_CACHE_DIR"] = str(cache / "triton")
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
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
            variables["XLA_FLAGS"] = flags.strip()
    return variables


def without_folders(text: str) -> str:
    """A message without this machine's folders: of every path only the last part stays."""
    return re.sub(r"(?:/[^\s/:'\"]+)+/", "", text)


class Worker:
    """A fresh process that serves `samestep.benchmarks.measure.worker`."""

    def __init__(self, environment: dict[str, str], *, memory: int) -> None:
        self.memory = memory
        self.errors, name = tempfile.mkstemp()
        os.unlink(name)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "samestep.benchmarks.measure.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the coordinator alone
        )
        assert self.process.stdin
        assert self.process.stdout
        self.requests, self.pipe = self.process.stdin, self.process.stdout
        self.replies = b""
        self.lock = threading.Lock()  # one request at a time

    def ask(self, verb: str, *, limit: float, **arguments: Any) -> Reply:
        """The worker's reply within `limit` seconds.

        Raises:
            WorkerError: it raised, died, hung or outgrew its memory.
        """
        request = json.dumps({"verb": verb, **arguments}).encode() + b"\n"
        with self.lock:
            try:
                self.requests.write(request)
                self.requests.flush()
            except (BrokenPipeError, ValueError):  # ended before it could read, or closed
                raise WorkerError(verb, self._death(), alive=False) from None
            line, reason = self._line(limit)
        if reason:
            raise WorkerError(verb, reason, alive=False)
        reply: Reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(verb, without_folders(reply["error"]), alive=True)
        return reply

    def _line(self, limit: float) -> tuple[bytes, str | None]:
        """The next whole line of its replies, or why there will be none; then it has been ended."""
        pipe, deadline = self.pipe.fileno(), time.monotonic() + limit
        while b"\n" not in self.replies:
            if select.select([pipe], [], [], POLL_S)[0]:
                chunk = os.read(pipe, 1 << 20)
                if not chunk:
                    return b"", self._death()
                self.replies += chunk
            elif time.monotonic() > deadline:
                return b"", self._end(f"hung: no answer within {limit:g} s")
            elif (used := self._resident()) > self.memory:
                return b"", self._end(f"out of memory: {used >> 20} MiB of {self.memory >> 20} MiB allowed")
        line, _, self.replies = self.replies.partition(b"\n")
        return line, None

    def _resident(self) -> int:
        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def _death(self) -> str:
        """How it ended: by which signal or with which status, and the last line of its standard error."""
        self.kill()
        code = self.process.returncode
        how = f"exited with status {code}"
        if code < 0:
            how = f"died of {signal.Signals(-code).name}"
            how += " (out of memory?)" if -code == signal.SIGKILL else ""
        last_line = self._last_line()
        return f"{how}: {last_line}" if last_line else how

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
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it, and let go of its files once nobody waits for an answer any more; again, it does nothing."""
        self.kill()
        with self.lock, contextlib.suppress(BrokenPipeError):
            if self.pipe.closed:
                return
            self.pipe.close()
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
