"""What is measured outside the race: cold first calls with certificates and accuracy before it, and phases after.

Each task and lane gets processes of its own, with empty compiler caches. What the first of them compiled is kept
as the warm cache of the race.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from samestep.backends.interface import Device

from ..record import (
    Arm,
    Audit,
    Certified,
    Cold,
    Dispatch,
    Failure,
    PhaseBreakdown,
    Plan,
    Record,
    RooflineLimits,
    Threads,
)
from ..record.layout import MOST_DEATHS
from ..record.plan import PlannedWork
from .audit import Auditor, refused
from .drawn_work import DrawnRuns, Ending, new_seed
from .efforts import WorkerLimits
from .environment import allowed_cpus
from .folder import ColdResult, MachineLimits, PhaseBreakdowns, RunFolder
from .process import FAILURE_PHASES, Worker, WorkerError, WorkerPool, described, worker_environment
from .worker import Reply

Done: TypeAlias = Callable[[str], None]  # hears what was just done


class ColdKey(NamedTuple):
    """A cold process: its task and lane by their places in the plan, and how many there were before it."""

    task: int
    lane: int
    repeat: int


class Preparation:
    """The cold processes of a run; `train` asks for the accuracy of every lane that is certified."""

    def __init__(
        self, folder: RunFolder, plan: Plan, limits: WorkerLimits, done: Done, *, train: bool = True
    ) -> None:
        self.folder, self.plan, self.limits, self.done, self.train = folder, plan, limits, done, train

    def run(self) -> None:
        """All that are still missing: those that certify side by side, the repeats one by one."""
        # from the last lane on: those that compile longest stand there, and the shortest fill up the end
        lanes, works = reversed(range(len(self.plan.lanes))), range(len(self.plan.works))
        keys = [ColdKey(task, lane, 0) for lane in lanes for task in works]
        first = [key for key in keys if self.names(key) in self.plan.pairs]
        self.batch(first, side_by_side=min(self.plan.effort.jobs, len(allowed_cpus())))
        proven = proven_pairs(self.folder.record())
        again = [key for key in first if self.names(key) in proven]
        for repeat in range(1, self.plan.effort.cold):
            self.batch([key._replace(repeat=repeat) for key in again], side_by_side=1)

    def names(self, key: ColdKey) -> tuple[str, str]:
        """Task and lane."""
        return self.plan.works[key.task].task.name, self.plan.lanes[key.lane]

    def batch(self, keys: list[ColdKey], *, side_by_side: int) -> None:
        """Run cold processes, as many at a time as have a CPU of their own."""
        cpus: queue.SimpleQueue[int] = queue.SimpleQueue()
        for cpu in allowed_cpus()[-side_by_side:]:
            cpus.put(cpu)

        def run(key: ColdKey) -> None:
            cpu = cpus.get()
            try:
                result = self.cold_process(pool, key, cpu, beside=side_by_side - 1)
            finally:
                cpus.put(cpu)  # a disk that is full ends a thread, and others wait for its CPU
            if not pool.closed:  # else it was interrupted, which is not a result
                self.folder.write(self.folder.cold_path(*key), result)
                self.done(", ".join(self.names(key)))

        with ThreadPoolExecutor(side_by_side) as threads, WorkerPool(self.limits.memory) as pool:
            list(threads.map(run, [key for key in keys if not self.folder.cold_path(*key).exists()]))

    def cold_process(self, pool: WorkerPool, key: ColdKey, cpu: int, *, beside: int) -> ColdResult:
        """One cold process, from its start to its last answer; a failure is a result too."""
        task, lane = self.names(key)
        cache = self.folder.cache / "-".join(map(str, key))
        shutil.rmtree(cache, ignore_errors=True)
        environment = worker_environment(
            threads=self.plan.threads,
            cpus=[cpu],
            device=Device.parse(self.plan.device),
            cache=cache,
            rng=np.random.default_rng([self.plan.seed, *key]),
        )
        failures: list[Failure] = []
        for _ in range(1 + MOST_DEATHS):
            result: dict[str, Any] = {}
            try:
                with contextlib.closing(pool.start(environment)) as worker:
                    self.whole_life(worker, key, beside, result)
                if key.repeat == 0 and cache.exists():
                    shutil.copytree(cache, self.folder.warm, dirs_exist_ok=True)
                break
            except WorkerError as error:
                phase, died = FAILURE_PHASES.get(error.verb, error.verb), not error.alive
                failures.append(Failure(task=task, lane=lane, phase=phase, reason=str(error), died=died))
                if error.alive:
                    break
            finally:
                shutil.rmtree(cache, ignore_errors=True)
        return ColdResult(**result, failures=tuple(failures))

    def whole_life(self, worker: Worker, key: ColdKey, beside: int, result: dict[str, Any]) -> None:
        """Everything that a cold process is asked for; the result holds what came of each."""
        self.first_call(worker, key, beside, result)
        if key.repeat == 0:
            self.certify(worker, key, result)

    def first_call(self, worker: Worker, key: ColdKey, beside: int, result: dict[str, Any]) -> None:
        """Import the lane, load the data and run for the first time; then have that run done once more."""
        (task, lane), limit = self.names(key), self.limits.start
        opened = worker.ask("open", limit=limit, lane=lane, device=self.plan.device)
        result["arm"] = described(Arm, "open", opened["arm"])
        folder = self.folder.work(key.task)
        worker.ask("load", limit=limit, task=task, folder=str(folder))
        runs = DrawnRuns(new_seed(), new_seed(), 1)
        scratch = self.folder.audits() / "cold-{}-{}-{}".format(*key)
        losses = scratch.with_suffix(".npy")
        start_seed, order_seed, _ = runs
        times = worker.ask(
            "first",
            limit=limit,
            task=task,
            start_seed=start_seed,
            order_seed=order_seed,
            losses=str(losses),
        )
        ended = Ending(times.pop("final"), times.pop("losses"))
        malformed = times.pop("malformed")
        times |= {"task": task, "lane": lane, "repeat": key.repeat, "beside": beside}
        cold = described(Cold, "first", times | {"import_s": opened["import_s"]})

        def ask(verb: str, **arguments: Any) -> Reply:
            return worker.ask(verb, limit=self.limits.certify, task=task, **arguments)

        products = result["arm"].products
        audit: Audit | None = refused(malformed)
        if not malformed:
            audit = Auditor(folder, scratch).audit(ask, runs, ended, losses, products)
        result["cold"] = cold.model_copy(update={"audit": audit})

    def certify(self, worker: Worker, key: ColdKey, result: dict[str, Any]) -> None:
        """The certificate, and for a lane that passes the accuracy that its training reaches, step by step."""
        (task, lane), limit = self.names(key), self.limits.certify
        reply = worker.ask("certify", limit=limit, task=task, lane=lane, keep=self.plan.effort.kept)
        certified = {"task": task, "lane": lane, "certificate": reply["certificate"]}
        result["certified"] = described(Certified, "certify", certified)
        if self.train and reply["certificate"]["status"] == "pass":
            outcome = worker.ask("train", limit=limit, task=task)
            result["certified"] = described(Certified, "train", certified | outcome)


def proven_pairs(record: Record) -> set[tuple[str, str]]:
    """Task and lane of every certificate that passes."""
    return {(c.task, c.lane) for c in record.certified if c.certificate.status == "pass"}


def measure_limits(folder: RunFolder, plan: Plan, limits: WorkerLimits) -> None:
    """The machine's limits for the record; whatever of them cannot be measured is left out.

    They are those of the CPU: to a lane on an accelerator they say nothing.
    """
    if not plan.on_cpu:
        folder.keep(MachineLimits())
        return
    lanes = {arm.framework: arm.lane for arm in reversed(folder.record().arms)}
    rng = np.random.default_rng([plan.seed, len(plan.works)])
    folder.keep(machine_limits(folder, plan.works, lanes, plan.threads, limits, rng))


def machine_limits(
    folder: RunFolder,
    works: Sequence[PlannedWork],
    lanes: Mapping[str, str],
    threads: Threads,
    limits: WorkerLimits,
    rng: np.random.Generator,
) -> MachineLimits:
    """Memory and BLAS rates in a worker with NumPy alone; each framework's cheapest call in one of its own.

    `lanes`: one of each framework. What could not be measured has a reason instead.
    """
    reasons: dict[str, str] = {}

    def environment(cpu: int) -> dict[str, str]:
        return worker_environment(
            threads=threads, cpus=[cpu], device=Device("cpu"), cache=folder.warm, rng=rng
        )

    cpus, rates = allowed_cpus(), []
    for index, work in enumerate(works):
        with WorkerPool(limits.memory) as pool, _noted(reasons, work.task.name):
            worker = pool.start(environment(cpus[-1]))
            reply = worker.ask("roofline_limits", limit=limits.start, folder=str(folder.work(index)))
            rates.append(described(RooflineLimits, "roofline_limits", {"task": work.task.name, **reply}))
    environments = [environment(cpu) for cpu in islice(cycle(reversed(cpus)), len(lanes))]
    calls = cheapest_calls(lanes, environments, list(cpus[-1:]) if threads == "one" else [], limits, reasons)
    return MachineLimits(ceilings=tuple(rates), dispatches=calls, reasons=reasons)


def cheapest_calls(
    lanes: Mapping[str, str],
    environments: Sequence[dict[str, str]],
    cpus: list[int],
    limits: WorkerLimits,
    reasons: dict[str, str],
) -> tuple[Dispatch, ...]:
    """Each framework's cheapest call, on these CPUs, or its reason among the others.

    They are imported side by side; while one is timed, the workers of the others are stopped.
    """
    workers, calls = dict[str, Worker](), []
    with ThreadPoolExecutor(max(1, len(lanes))) as threads, WorkerPool(limits.memory) as pool:

        def start(framework: str, environment: dict[str, str]) -> None:
            with _noted(reasons, framework), contextlib.ExitStack() as failed:
                worker = failed.enter_context(contextlib.closing(pool.start(environment)))
                worker.ask("open", limit=limits.start, lane=lanes[framework], device="cpu")
                worker.ask("pin", limit=limits.start, cpus=cpus)
                worker.pause()
                failed.pop_all()
                workers[framework] = worker

        list(threads.map(start, lanes, environments))
        for framework in [name for name in lanes if name in workers]:
            with _noted(reasons, framework), contextlib.closing(workers[framework]) as worker:
                if reply := worker.ask("dispatch", limit=limits.start):
                    calls.append(described(Dispatch, "dispatch", {"framework": framework, **reply}))
    return tuple(calls)


@contextlib.contextmanager
def _noted(reasons: dict[str, str], name: str) -> Iterator[None]:
    """Note under a name why a worker gave nothing."""
    try:
        yield
    except WorkerError as error:
        reasons[name] = str(error)


def measure_phases(folder: RunFolder, plan: Plan, limits: WorkerLimits, done: Done) -> None:
    """Where the time goes in every lane that is proven, each in a worker of its own, one after another."""
    rng = np.random.default_rng([plan.seed, len(plan.works) + 1])
    tasks, breakdowns = [work.task.name for work in plan.works], []
    for task, lane in [(c.task, c.lane) for c in folder.record().certified if c.certificate.status == "pass"]:
        environment = worker_environment(
            threads=plan.threads,
            cpus=allowed_cpus()[-1:],
            device=Device.parse(plan.device),
            cache=folder.warm,
            rng=rng,
        )
        with WorkerPool(limits.memory) as pool, contextlib.suppress(WorkerError):
            worker = pool.start(environment)
            worker.ask("open", limit=limits.start, lane=lane, device=plan.device)
            work = str(folder.work(tasks.index(task)))
            worker.ask("load", limit=limits.start, task=task, folder=work)
            reply = worker.ask("phases", limit=limits.start, task=task)
            breakdowns.append(described(PhaseBreakdown, "phases", {"task": task, "lane": lane, **reply}))
        done(f"{task}, {lane}")
    folder.keep(PhaseBreakdowns(ledgers=tuple(breakdowns)))
