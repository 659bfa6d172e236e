"""A lane that starts processes, uses CPU time or ends while it is opened; the variable DEED says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from samestep.backends.numpy_backend import NumpyBackend

BURN_S = 0.3


def burn(seconds: float = BURN_S) -> None:
    """Use CPU time, counted by this process's own clock."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def stay() -> None:
    time.sleep(600)


def keep_burning() -> None:
    burn(600)


def burn_and_stay() -> None:
    burn()
    stay()


def fork(work: Callable[[], None]) -> int:
    """A child that does the work; its number."""
    if pid := os.fork():
        return pid
    try:
        work()
    finally:
        os._exit(0)


def fork_twice(work: Callable[[], None]) -> None:
    """A grandchild that does the work in a session of its own, with no parent and no file left."""

    def leave() -> None:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 100)
            work()
        os._exit(0)

    os.waitpid(fork(leave), 0)


def start_session(work: Callable[[], None]) -> None:
    def lead() -> None:
        os.setsid()
        work()

    fork(lead)


def flee() -> None:
    """A process that is another one every time that one looks."""
    for _ in range(100_000):
        if os.fork():
            os._exit(0)
        os.setsid()


def forget_the_mark() -> None:
    """A program without any of the variables of this process."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True)


def close_every_file() -> None:
    os.closerange(0, 100)
    stay()


def fork_without_end() -> None:
    """A thread that starts one child after the other, with so much memory that each start takes milliseconds."""
    memory = np.ones(300 * 2**17)

    def start() -> None:
        while memory.size:
            child = fork(keep_burning)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    threading.Thread(target=start, daemon=True).start()


def leave_a_child_with_the_pipe() -> None:
    fork(stay)
    os._exit(4)


def kill_the_guard() -> None:
    fork(stay)
    start_session(stay)
    fork_twice(stay)
    os.kill(os.getppid(), signal.SIGKILL)
    stay()


def stop_the_guard() -> None:
    fork_twice(stay)
    forget_the_mark()
    os.kill(os.getppid(), signal.SIGSTOP)


def fill(mebibytes: int) -> None:
    arrays = [np.ones(2**17) for _ in range(mebibytes)]  # 1 MiB each
    stay()
    del arrays


def fill_in_a_grandchild() -> None:
    fork_twice(lambda: fill(500))
    stay()


def share() -> None:
    """Four children that hold the same memory as their parent."""
    arrays = np.ones(60 * 2**17)
    for _ in range(4):
        fork(stay)
    time.sleep(1.5)
    del arrays


DEEDS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "burn": burn,
    "burn in a child": lambda: fork(burn_and_stay),
    "burn in a child that ends": lambda: os.waitpid(fork(burn), 0),
    "burn in a child that ends unnoticed": lambda: fork(burn),
    "burn far away": lambda: fork_twice(burn_and_stay),
    "burn far away and end": lambda: fork_twice(burn),
    "keep burning in a child": lambda: fork(keep_burning),
    "keep burning far away": lambda: fork_twice(keep_burning),
    "fork": lambda: fork(stay),
    "fork without end": fork_without_end,
    "setsid": lambda: start_session(stay),
    "double fork": lambda: fork_twice(stay),
    "flee": lambda: fork_twice(flee),
    "new program": forget_the_mark,
    "exit with a message": lambda: sys.exit("no license in /some/folder/license.txt"),
    "exit": lambda: os._exit(3),
    "exit as if nothing were wrong": lambda: sys.exit(0),
    "segmentation fault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "real-time signal": lambda: os.kill(os.getpid(), signal.SIGRTMIN + 1),
    "kill the group": lambda: os.killpg(0, signal.SIGKILL),
    "close every file": close_every_file,
    "a child holds the pipe": leave_a_child_with_the_pipe,
    "kill the guard": kill_the_guard,
    "stop the guard": stop_the_guard,
    "fill": lambda: fill(500),
    "fill in a child": fill_in_a_grandchild,
    "share": share,
    "hang": stay,
}


class DeedLane(NumpyBackend):
    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        DEEDS[os.environ["DEED"]]()
