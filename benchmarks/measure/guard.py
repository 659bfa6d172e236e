"""The process between the coordinator and a worker: whatever a worker has started ends with it.

It starts the worker, adopts what the worker's children leave behind (on Linux; elsewhere it cannot), says how the
worker ended and kills the rest. It does so at once when the coordinator closes the channel or is gone.

It runs as a bare script with the standard library alone: `python -I -S guard.py CHANNEL COMMAND...`. Two lines go
to the channel: the number of the worker's process, and its wait status.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

SET_CHILD_SUBREAPER = 36  # of prctl
CANNOT_START = 127  # the status that a shell gives
RESCAN_S = 0.001


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(command: list[str]) -> int:
    """A command as a child in a session of its own, so that a signal to its group does not reach this process."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores them, and what is ignored is inherited
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_START)


def children() -> list[int]:
    """The processes whose parent is this one; none where there is no /proc."""
    pids, parent = [], os.getpid()
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == parent:
                        pids.append(int(name))
    return pids


def end_all(group: int) -> None:
    """Kill every process that is left, and every one that is adopted from it, until there is none."""
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)  # not waited for yet, so its number is its own
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(RESCAN_S)


def main(channel: int, command: list[str]) -> None:
    """Start a command, wait for its end or for that of the channel, end what is left."""
    os.set_inheritable(channel, False)
    adopt_orphans()
    worker = start(command)
    waited_for = [worker]
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)  # else the coordinator's pipes stay open when the worker's end
    os.dup2(nothing, 1)

    def obey() -> None:
        with contextlib.suppress(OSError):
            os.read(channel, 1)  # nothing is ever sent: the coordinator has closed it, or is gone
        for pid in waited_for:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    with contextlib.suppress(OSError):  # nobody there to read it
        os.write(channel, b"%d\n" % worker)
    threading.Thread(target=obey, daemon=True).start()
    pid = status = 0
    while pid != worker:
        pid, status = os.waitpid(-1, 0)
    waited_for.clear()
    with contextlib.suppress(OSError):
        os.write(channel, b"%d\n" % status)
    end_all(worker)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
