"""Instructions that a process has retired, as Linux counts them where there is a counter (perf_event_open(2)).

A count does not follow the host's moods: no other program and no stolen time changes it much. It does not say how
long an instruction takes, so that it is a second witness beside the times, and never a verdict.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}  # its number, by machine
INSTRUCTIONS = 0, 1  # PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS
INHERIT, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6  # bits of perf_event_attr
TIMES = 1 << 0 | 1 << 1  # a reading holds how long the event was enabled, and how long it was counted
ATTRIBUTES = struct.Struct("IIQQQQQIIQ")  # the first version of perf_event_attr
READING = struct.Struct("QQQ")
CLOSE_ON_EXEC = 1 << 3


class InstructionCounter:
    """Counts for all threads that a process has now, and for all that these start, in user space.

    Raises:
        OSError: there is no such counter here, or it may not be read.
    """

    def __init__(self, pid: int, event: tuple[int, int] = INSTRUCTIONS) -> None:
        self.descriptors: list[int] = []
        for thread in sorted(map(int, os.listdir(f"/proc/{pid}/task"))):
            self.descriptors.append(_opened(thread, event))

    def read(self) -> int | None:
        """Instructions since it was made; None if the counter was lent to others for a part of the time."""
        count = 0
        for descriptor in self.descriptors:
            value, enabled, counted = READING.unpack(os.read(descriptor, READING.size))
            if counted < enabled:
                return None
            count += value
        return count

    def close(self) -> None:
        """Give the counter back."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def __del__(self) -> None:
        self.close()


def counter_of(pid: int) -> InstructionCounter | None:
    """A counter of a process, None where there is none: on virtual machines mostly, and beside Linux."""
    try:
        return InstructionCounter(pid)
    except OSError:
        return None


def _opened(thread: int, event: tuple[int, int]) -> int:
    """The descriptor of an event of one thread, on whatever CPU it runs."""
    number = SYSTEM_CALL.get(platform.machine())
    if number is None:
        raise OSError(f"no number of perf_event_open is known for {platform.machine()}")
    kind, config = event
    flags = INHERIT | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR
    attributes = ATTRIBUTES.pack(kind, ATTRIBUTES.size, config, 0, 0, TIMES, flags, 0, 0, 0)
    call = ctypes.CDLL(None, use_errno=True).syscall
    any_cpu, no_group = -1, -1
    descriptor = int(call(number, attributes, thread, any_cpu, no_group, CLOSE_ON_EXEC))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor
