"""A process and all that it starts, as one thing: its CPU time, its memory, how it ended, and how to end it."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

GUARD = Path(__file__).with_name("guard.py")
MARK = "SAMESTEP_PROCESS_TREE"  # a variable that tells this tree's processes from all others
GUARD_S = 5.0  # how long a guard may take to end what is below it
RESCAN_S = 0.001
TRIES = 5  # for a reading during which no process ends
STOP_S, LOOK_S = 5.0, 0.0002  # how long it may take until everything stands, and how often it is looked at
SYSTEM = Path("/proc/stat")


class Listing(NamedTuple):
    """Processes, how many the system had started before, and whether the same were there twice in a row."""

    started: int | None
    processes: list[psutil.Process]
    again: bool


class ProcessTree:
    """A command below a guard, with pipes to its standard input and output; `errors` is its standard error."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], errors: int) -> None:
        self.mark = secrets.token_hex(8)
        self.channel, guards_end = socket.socketpair()
        before = started_so_far()
        with guards_end:
            number = guards_end.fileno()
            self.guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(number), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**environment, MARK: self.mark},
                pass_fds=[number],
                start_new_session=True,  # Ctrl-C reaches the coordinator alone
            )
        self.counts = before != started_so_far()  # a sandbox may have a number there that never changes
        self.listed = Listing(None, [], again=False)
        self.messages = b""
        self.stopped: set[int] = set()  # what `pause` has stopped
        self.lock = threading.Lock()  # one reader of the channel at a time

    def numbers(self, count: int, limit: float) -> list[int]:
        """What the guard has said within `limit` seconds: the number of the process, then its wait status."""
        deadline = time.monotonic() + limit
        with self.lock, contextlib.suppress(OSError, ValueError):  # closed by another thread
            while self.messages.count(b"\n") < count:
                if not select.select([self.channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    break
                if not (message := self.channel.recv(64)):
                    break
                self.messages += message
        return [int(line) for line in self.messages.split(b"\n")[:-1]]

    @property
    def pid(self) -> int:
        """The number of the process itself; that of its guard if the guard has never said it."""
        return next(iter(self.numbers(1, GUARD_S)), self.guard.pid)

    def has_ended(self) -> bool:
        """Whether the process or its guard has ended."""
        return len(self.numbers(2, 0.0)) == 2 or self.guard.poll() is not None

    def exit_code(self, limit: float) -> int | None:
        """The exit code, negative for a signal; None if it has not ended within `limit` seconds."""
        numbers = self.numbers(2, limit)
        return os.waitstatus_to_exitcode(numbers[1]) if len(numbers) == 2 else None

    def processes(self, *, anew: bool = True) -> list[psutil.Process]:
        """All processes below the guard, those that have ended and that nobody has waited for included.

        To list them takes milliseconds, which are not there while a slice is timed. If not `anew`, the last list
        will do where it was the same twice and the system has started nothing since: of one that is gone every
        reading is nothing. A list can lack a process whose parent ended while it was made.
        """
        started, last = started_so_far() if self.counts else None, self.listed
        if anew or started is None or started != last.started or not last.again:
            try:
                found = psutil.Process(self.guard.pid).children(recursive=True)
            except psutil.Error:
                self.listed = Listing(None, [], again=False)
            else:
                self.listed = Listing(
                    started, found, again=started == last.started and found == last.processes
                )
        return self.listed.processes

    def descendants(self) -> tuple[int, ...]:
        """The numbers of all living processes that the process has started, and of those that they have."""
        pid = self.pid
        return tuple(one.pid for one in self.processes() if one.pid != pid and is_alive(one))

    def cpu_ns(self) -> int:
        """CPU time so far of the process and of all that it has started, in nanoseconds, read from outside.

        Where the system has a CPU clock for other processes, living ones are read to the nanosecond. Those that
        have ended are known from whoever waited for them, in the system's ticks, usually of 10 ms.
        """
        total = 0
        for _ in range(TRIES):
            pids = [process.pid for process in self.processes(anew=False)]
            before = _ended_s([self.guard.pid, *pids])
            living_ns = sum(map(_clock_ns, pids))
            ended = _ended_s([self.guard.pid, *pids])
            total = living_ns + round(ended * 1e9)
            if ended == before:
                break
        return total

    def resident(self, limit: int) -> int:
        """Bytes of resident memory; what processes share counts once where the sum would exceed `limit`."""
        processes, used = self.processes(), 0
        for process in processes:
            with contextlib.suppress(psutil.Error):
                used += process.memory_info().rss
        return used if used <= limit else min(used, sum(map(_proportional, processes)))

    def pause(self) -> bool:
        """Stop the process and all that it has started; whether nothing of it can run any more.

        One that is starting another when the signal comes goes on until that is started, which gets no signal. So
        all of them have to be seen to stand before a list in which nobody is new.
        """
        deadline, standing = time.monotonic() + STOP_S, set[int]()
        while (found := {process.pid for process in self.processes()}) - standing:
            self._signal(found, signal.SIGSTOP)
            self.stopped |= found
            if not _come_to_stand(found, deadline):
                return False
            standing = found
        return True

    def resume(self) -> None:
        """Let all of it go on; what is stopped starts nothing meanwhile."""
        self._signal(self.stopped, signal.SIGCONT)
        self.stopped = set()

    def _signal(self, pids: set[int], number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End the process and whatever it has started, also where its guard is gone or does not do it."""
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_WR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.guard.wait(GUARD_S) == 0:
                return  # nothing is left below it
        deadline = time.monotonic() + GUARD_S
        while alive := self._marked():
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            if time.monotonic() > deadline:  # after the first time in any case: a scan may take long
                break
            time.sleep(RESCAN_S)
        self.guard.kill()
        self.guard.wait()

    def _marked(self) -> list[psutil.Process]:
        """All living processes that carry the mark, and all below them; without the guard, which adopts them."""
        processes = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark:
                    processes |= {process, *process.children(recursive=True)}
        return [process for process in processes if process.pid != self.guard.pid and is_alive(process)]

    def close(self) -> None:
        """Let go of the channel to the guard."""
        with self.lock:
            self.channel.close()


def started_so_far() -> int | None:
    """How many processes and threads the system has started since its boot; None where it does not say."""
    try:
        words = SYSTEM.read_bytes().partition(b"\nprocesses ")[2].split(maxsplit=1)
        return int(words[0])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(process: psutil.Process) -> bool:
    """Whether it has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _come_to_stand(pids: set[int], deadline: float) -> bool:
    """Whether all their threads are stopped or have ended by the deadline.

    One that waits for a child to take another program cannot be stopped and cannot run, as long as the child is.
    """
    while running := {state for pid in pids for state in _thread_states(pid)}.difference("TtZX"):
        if time.monotonic() > deadline:
            return running == {"D"}
        time.sleep(LOOK_S)
    return True


def _thread_states(pid: int) -> set[str]:
    """The states of its threads, as proc(5) has them; none where it is gone, or the system does not say."""
    states = set()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            states.add(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0])
    return states


def _clock_ns(pid: int) -> int:
    """The CPU time of one process; 0 if it is gone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime_ns(
                (~pid << 3) | 2
            )  # its clock's number, as clock_getcpuclockid(3) makes it
        return 0
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return round((times.user + times.system) * 1e9)
    return 0


def _ended_s(pids: Sequence[int]) -> float:
    """Seconds of CPU time of the ended processes that these have waited for, and that those had waited for."""
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            seconds += times.children_user + times.children_system
    return seconds


def _proportional(process: psutil.Process) -> int:
    """Its resident memory in bytes, shared pages divided by the number of sharers where the system says so."""
    with contextlib.suppress(psutil.Error):
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))
    return 0


def oom_kills(system: Path = Path("/")) -> int:
    """How many processes the kernel has killed for lack of memory; 0 where it does not say.

    Those of this process's control group where they are counted, else those of the whole system.
    """
    candidates = [system / "proc/vmstat"]
    with contextlib.suppress(OSError):
        for line in (system / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "memory":  # the first version of control groups
                candidates.insert(0, system / "sys/fs/cgroup/memory" / path.strip("/") / "memory.oom_control")
            elif not controllers:
                candidates.insert(0, system / "sys/fs/cgroup" / path.strip("/") / "memory.events")
    for file in candidates:
        with contextlib.suppress(OSError):
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0
