"""A process for one lane: it imports one framework, and answers one JSON line with another.

Requests come on standard input and replies go to the original standard output; whatever libraries print goes to
standard error. The end of the input, even in the middle of some work, is the end of the process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:  # nothing heavy is imported here: what a lane imports is timed
    from collections.abc import Callable, Iterator, Sequence

    from samestep.backends.interface import Backend, Host

    from ..record.proof import KeptStep
    from .clock import OpenSlice, SealedRun, TimedWork

CPUS = "SAMESTEP_CPUS"  # the variable that names the CPUs of a worker
BEGUN, ENDED = b'{"clock":"begins"}', b'{"clock":"ended"}'  # lines before a reply; each is waited upon
Reply = dict[str, Any]


class LaneServer:
    """The verbs that a request can name; each gives a JSON object."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self.tell = tell  # a line before the reply, until the coordinator has read its clocks
        self.cpus: list[int] = []  # that it is held to since it was pinned
        self.backend: Backend
        self.slice: OpenSlice
        self.work: dict[str, TimedWork] = {}
        self.kept_steps: dict[str, tuple[KeptStep, ...]] = {}  # those that a task's certificate keeps

    def open(self, lane: str, device: str) -> Reply:
        """Import the lane; `import_s` counts from a bare interpreter, NumPy included."""
        begin = time.perf_counter()
        self.backend = load(lane, device)
        import_s = time.perf_counter() - begin
        from dataclasses import asdict

        from .counters import watch_compilations
        from .environment import pools

        watch_compilations()
        description = {
            "lane": lane,
            "device": device,
            "framework": self.backend.framework,
            "tier": self.backend.tier,
            **asdict(self.backend.traits),
            "versions": self.backend.versions(),
            "pools": [pool.as_json() for pool in pools()],
        }
        description["products"] = description.pop("matmul_precision")  # its name in records
        return {"import_s": import_s, "arm": description}

    def load(self, task: str, folder: str) -> Reply:
        """Read a task's files, put its data on the device."""
        from .clock import TimedWork
        from .task_files import read

        self.work[task] = TimedWork(self.backend, read(Path(folder)))
        return {}

    def first(self, task: str, start_seed: int, order_seed: int, losses: str | None) -> Reply:
        """The first run in this process: seconds, peak memory in bytes, what was compiled, how it ended."""
        from .counters import forget_peak_memory, peak_memory, programs_compiled

        forget_peak_memory()  # of reading the data, of which the lane has its own copy by now
        first_call_s, run, values = self.work[task].first_call(start_seed, order_seed)
        reply: Reply = {"first_call_s": first_call_s, "peak_memory": peak_memory()}
        reply |= {"programs_compiled": programs_compiled(self.backend.framework)}
        return reply | ending(self.work[task], run, values, losses)

    def certify(self, task: str, lane: str, keep: int) -> Reply:
        """The certificate, with at most `keep` steps."""
        from ..parity.certificate import certify_backend

        files = self.work[task].files
        certificate = certify_backend(
            self.backend,
            files.task,
            files.split,
            lane=lane,
            run_steps=len(files.learning_rates),
            max_kept_steps=keep,
        )
        if certificate.status == "pass":
            self.kept_steps[task] = certificate.evidence[-1].judgement.kept
        return {"certificate": certificate.as_json()}

    def pin(self, cpus: list[int]) -> Reply:
        """Move every thread of this process to the given CPUs, where the system can."""
        pin(cpus)
        self.cpus = cpus
        return {}

    def calibrate(self, task: str, target_ns: int) -> Reply:
        """How many runs make a slice of a length in nanoseconds."""
        return self.work[task].calibrate(target_ns)

    def ready(self, task: str, start_seed: int, collect: bool) -> Reply:
        """Warm up and go to an unseen start; `collect` leaves the garbage collector on."""
        self.slice = self.work[task].ready(start_seed, collect=collect)
        return {}

    def go(self, task: str, order_seed: int, repeats: int) -> Reply:
        """Draw the orders and run them; when the clock begins and when it has ended the coordinator is told."""
        marks = partial(self.tell, BEGUN), partial(self.tell, ENDED)
        self.work[task].go(self.slice, order_seed, repeats, *marks)
        return {}

    def report(self, task: str, losses: str) -> Reply:
        """What the record holds of the slice that has been run; the file `losses` gets its losses."""
        fields, values = self.work[task].report(self.slice)
        assert self.slice.run
        return fields | ending(self.work[task], self.slice.run, values, losses)

    def trace_again(
        self, task: str, runs: list[int], epoch: int, first: int, path: str, cpus: Sequence[int] = ()
    ) -> Reply:
        """A slice once more, recorded: the digests of its end; the file gets steps of one run and all losses.

        `runs` are its seeds and number; `cpus`, if any, are those on which it is done.
        """
        from .drawn_work import DrawnRuns, trace_again

        with self.moved_to(cpus):
            return trace_again(self.work[task], DrawnRuns(*runs), epoch, first, Path(path))._asdict()

    def run_again(self, task: str, runs: list[int], epoch: int, path: str, cpus: Sequence[int] = ()) -> Reply:
        """A slice once more by the timed program: the digest of its end; the file gets the ends of one run."""
        from .drawn_work import DrawnRuns, run_again

        with self.moved_to(cpus):
            return {"final": run_again(self.work[task], DrawnRuns(*runs), epoch, Path(path))}

    @contextlib.contextmanager
    def moved_to(self, cpus: Sequence[int]) -> Iterator[None]:
        """On other CPUs meanwhile, where it is held to any."""
        pin(cpus if self.cpus else ())
        try:
            yield
        finally:
            pin(self.cpus)

    def roofline_limits(self, folder: str) -> Reply:
        """What memory and BLAS can do at a task's size."""
        from .limits import roofline_limits
        from .task_files import read

        return roofline_limits(read(Path(folder)))

    def dispatch(self) -> Reply:
        """The cheapest call of the lane's framework."""
        from .limits import dispatch

        return dispatch(self.backend.framework)

    def phases(self, task: str) -> Reply:
        """Where the time of a step goes."""
        from .phases import phase_breakdown

        return phase_breakdown(self.work[task])

    def train(self, task: str) -> Reply:
        """All epochs by the timed program: how good the parameters are that it ends in, and on the way there."""
        from ..accuracy.learning_curve import learning_curve
        from ..accuracy.scores import accuracy

        work = self.work[task]
        about = work.files.task, work.files.split
        curve = [point.as_json() for point in learning_curve(*about, self.kept_steps[task])]
        return {"accuracy": accuracy(*about, work.train()).as_json(), "curve": curve}


def ending(work: TimedWork, run: SealedRun, losses: Host, path: str | None) -> Reply:
    """The digests of where a run ended, and what is wrong with its losses; the file gets them, if any."""
    import numpy as np

    from .drawn_work import Ending

    if path:
        np.save(path, losses)
    wrong = {"malformed": work.malformed(losses, len(run.losses))}
    return Ending.of(run.params, run.buffers, losses)._asdict() | wrong


def load(lane: str, device: str) -> Backend:
    """A registered lane, or "module:Class" for one that is not."""
    from samestep import backends

    name = backends.LaneName.parse(lane)
    if lane in backends.names() or not name.is_import_path:
        return backends.load(lane, device)
    made: Backend = getattr(importlib.import_module(name.framework), name.form)(device)
    return made


def pin(cpus: Sequence[int]) -> None:
    """Move every thread of this process to the given CPUs, where the system can."""
    if not cpus or not hasattr(os, "sched_setaffinity"):
        return
    moved = set[str]()
    while threads := set(os.listdir("/proc/self/task")) - moved:  # one that has begun meanwhile is new
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(thread), cpus)
        moved |= threads


def private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the coordinator under numbers that no library knows; 0 reads nothing, 1 is standard error."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, replies


def listen(requests: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    """Hand lines on; a coordinator that is gone takes this process with it."""
    for line in requests:
        inbox.put(line)
    os._exit(0)


def answer(server: LaneServer, line: bytes) -> Reply:
    """The reply to a request; an exception is a reply too, on one line."""
    request = json.loads(line)
    try:
        reply: Reply = getattr(server, request.pop("verb"))(**request)
    except Exception as error:
        text = " ".join(readable(str(error)).split())[:300]
        return {"error": f"{type(error).__name__}: {text}" if text else type(error).__name__}
    return reply


def readable(text: str) -> str:
    """A text that can be written: half a surrogate, which is no Unicode, as Python escapes it."""
    return text.encode("utf-8", "backslashreplace").decode()


def line_of(reply: Reply) -> bytes:
    """A reply as a line of JSON; one that cannot be written is an error."""
    from ..record.files import json_text

    try:
        text = json_text(reply)
    except ValueError as error:
        text = json_text({"error": f"its answer cannot be written: {readable(str(error))[:300]}"})
    return text.encode() + b"\n"


def main() -> None:
    """Serve until the input ends."""
    pin([int(cpu) for cpu in os.environ.get(CPUS, "").split(",") if cpu])
    requests, replies = private_pipes()
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(requests, inbox), daemon=True).start()

    def send(reply: Reply) -> None:
        replies.write(line_of(reply))
        replies.flush()

    def tell(mark: bytes) -> None:
        os.write(replies.fileno(), mark + b"\n")
        inbox.get()

    server = LaneServer(tell)
    while True:
        send(answer(server, inbox.get()))


if __name__ == "__main__":
    main()
