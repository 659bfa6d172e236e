"""The races of `aa` and `power`: many sessions out of one long run for each framework, within a time budget.

A long run certifies and calibrates once; its blocks are groups of fresh workers, as in any session. Every so many
blocks in turn make a session of one task, which is judged as any record is.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from samestep.backends.spec import Linear, Loss, Synthetic, Task
from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure import RunRequest, environment, measure, resume
from samestep.benchmarks.measure.folder import RunFolder
from samestep.benchmarks.record import AnyBlock, AnyRecord
from samestep.benchmarks.record.plan import Effort

FRAMEWORKS = ("numpy", "torch", "jax")
STEPS = 100  # in every run, so that one step more is one percent
MOST_BLOCKS = 600


def task(name: str, features: int, batch_size: int, loss: str = "mse") -> Task:
    """Linear regression whose one epoch has 100 full batches."""
    return Task(
        name=name,
        dataset=Synthetic(rows=STEPS * batch_size, held_out=16, features=features),
        layers=(Linear(in_features=features, out_features=1),),
        loss=Loss(name=loss),
        batch_size=batch_size,
        epochs=1,
    )


SMALL = (task("2x10", 2, 10), task("8x32", 8, 32), task("2x10-huber", 2, 10, "huber"), task("30x16", 30, 16))
LARGE = (task("64x512", 64, 512), task("256x256", 256, 256))
TASKS = (*SMALL, *LARGE)
EXTENTS = {"small": SMALL, "large": LARGE}


class Group(NamedTuple):
    """So many blocks that follow one another in one framework's run, with or without other load."""

    framework: str
    blocks: int
    loaded: bool


def run(
    name: str,
    lanes: Callable[[str], Sequence[str]],
    effort: Effort,
    groups: Iterable[Group],
    minutes: float,
    progress: Progress,
    tasks: Sequence[Task] = TASKS,
    root: Path = Path("results", "local"),
) -> dict[str, AnyRecord]:
    """Measure group after group until the time is over; those that are there already are not measured again.

    `lanes` gives a framework's lanes, the baseline first. Returns the record of each framework, by its name.
    """
    now = environment.read()
    digest = hashlib.sha256(repr([effort, tasks, *map(lanes, FRAMEWORKS)]).encode()).hexdigest()[:8]
    folder = root / name / f"{now.source}-{now.installed}-{now.boot}-{digest}"
    end = time.monotonic() + 60 * minutes
    last_s, planned = dict[str, float](), Counter[str]()  # by framework: its last group's seconds, its blocks
    for framework, blocks, loaded in groups:
        planned[framework] += blocks
        place, until, begin = folder / framework, planned[framework], time.monotonic()
        if RunFolder(place).begun and len(RunFolder(place).blocks()) >= until:
            continue
        if begin + last_s.get(framework, 0.0) > end or until > MOST_BLOCKS:
            break
        with load() if loaded else nullcontext():
            extend(place, tasks, lanes(framework), effort, until, progress)
        last_s[framework] = time.monotonic() - begin
    return {name: RunFolder(folder / name).record() for name in planned if RunFolder(folder / name).begun}


def extend(
    place: Path, tasks: Sequence[Task], lanes: Sequence[str], effort: Effort, until: int, progress: Progress
) -> None:
    """Take the run in a folder to so many blocks."""

    def report(phase: str, done: int, total: int, text: str) -> None:
        progress(place.name, done, total, f"{phase}: {text}")

    if RunFolder(place).begun:
        resume(place, progress=report, blocks=until)
    else:
        whole = effort.model_copy(update={"blocks": MOST_BLOCKS})
        request = RunRequest(tuple(tasks), tuple(lanes), lanes[0], whole, place, seed=0)
        measure(request, progress=report, blocks=until)


# --- load -----------------------------------------------------------------------------------------------------

BURSTS = """
import os, random, sys, time
rng, parent = random.Random(int(sys.argv[1])), int(sys.argv[2])
while os.getppid() == parent:
    end = time.perf_counter() + rng.expovariate(2)
    while time.perf_counter() < end:
        pass
    time.sleep(rng.expovariate(2))
"""


@contextmanager
def load() -> Iterator[None]:
    """A program that keeps one core busy by fits and starts: half a second on, half a second off, on average."""
    process = subprocess.Popen([sys.executable, "-c", BURSTS, "0", str(os.getpid())])
    try:
        if hasattr(psutil.Process, "cpu_affinity"):
            psutil.Process(process.pid).cpu_affinity([environment.allowed_cpus()[-1]])
        yield
    finally:
        process.kill()
        process.wait()


# --- sessions -------------------------------------------------------------------------------------------------


def sessions(
    record: AnyRecord, blocks: Sequence[AnyBlock], size: int, tasks: Sequence[str] = ()
) -> Iterator[AnyRecord]:
    """A record for every task (of `tasks`) and every `size` of the blocks in turn; what is left over is none."""
    names = [work.task.name for work in record.plan.works if not tasks or work.task.name in tasks]
    for start in range(0, len(blocks) - size + 1, size):
        for name in names:
            yield of_tasks(record, {name}, blocks[start : start + size])


def of_tasks(
    record: AnyRecord,
    names: Container[str],
    blocks: Sequence[AnyBlock],
    *,
    lanes: Sequence[str] = (),
    looks: tuple[int, ...] = (),
) -> AnyRecord:
    """What a session of these blocks with these tasks alone would have been, with these lanes and looks."""
    plan, raced = record.plan, lanes or record.plan.lanes
    alone: dict[str, Any] = {
        field: tuple(entry for entry in getattr(record, field) if entry.task in names)
        for field in ("certified", "colds", "calibrations", "ceilings", "failures", "ledgers")
    }
    changes = {
        "works": tuple(work for work in plan.works if work.task.name in names),
        "effort": plan.effort.model_copy(update={"blocks": len(blocks), "looks": looks}),
        "family": tuple(pair for pair in plan.family if pair.task in names and pair.lane in raced),
        "lanes": tuple(raced),
    }
    alone["plan"] = plan.model_copy(update=changes)
    alone["blocks"] = tuple(of_these(block, names) for block in blocks)
    alone["resumptions"] = ()  # those of the long run
    return record.model_copy(update=alone)


def of_these(block: AnyBlock, names: Container[str]) -> AnyBlock:
    """The block with what concerns these tasks."""
    return block.model_copy(
        update={
            field: tuple(entry for entry in getattr(block, field) if entry.task in names)
            for field in ("slices", "failures", "unseen")
            if hasattr(block, field)  # unseen work: in records of version 1
        }
    )
