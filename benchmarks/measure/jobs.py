"""What is done once, before the race: cold first calls, certificates, accuracy, and the machine's ceilings.

Each task and lane gets processes of its own, with empty compiler caches. What the first of them compiled is
kept as the warm cache of the race.
"""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pydantic import BaseModel

from ..record import Arm, Ceiling, Certified, Cold, Dispatch, Failure, Ledger, Plan, Threads
from ..record.files import write
from ..record.plan import PlannedWork
from ..record.proof import Certificate
from .efforts import Limits
from .environment import allowed_cpus
from .folder import Ceilings, Folder, Job, Ledgers
from .process import PHASES, Crew, Worker, WorkerError, surroundings

Done: TypeAlias = Callable[[str], None]
Key: TypeAlias = tuple[int, int, int]  # task, lane, repeat
M = TypeVar("M", bound=BaseModel)


class Jobs:
    """The cold processes of a session; `train` asks for the accuracy of every lane that is certified."""

    def __init__(self, folder: Folder, plan: Plan, limits: Limits, done: Done, *, train: bool = True) -> None:
        self.folder, self.plan, self.limits, self.done, self.train = folder, plan, limits, done, train

    def run(self) -> None:
        """All that are still missing: those that certify side by side, the repeats one by one."""
        # from the last lane on: those that compile longest stand there, and the shortest fill up the end
        lanes, works = reversed(range(len(self.plan.lanes))), range(len(self.plan.works))
        first = [(task, lane, 0) for lane in lanes for task in works]
        self.batch(first, beside=min(self.plan.effort.jobs, len(allowed_cpus())))
        sound = {(c.task, c.lane) for c in self.folder.record().certified if c.certificate.status == "pass"}
        names = [(self.plan.works[task].task.name, self.plan.lanes[lane]) for task, lane, _ in first]
        again = [key for key, name in zip(first, names, strict=True) if name in sound]
        for repeat in range(1, self.plan.effort.cold):
            self.batch([(task, lane, repeat) for task, lane, _ in again], beside=1)

    def batch(self, keys: list[Key], *, beside: int) -> None:
        """Run jobs, as many at a time as have a CPU of their own."""
        cpus: queue.SimpleQueue[int] = queue.SimpleQueue()
        for cpu in allowed_cpus()[-beside:]:
            cpus.put(cpu)

        def run(key: Key) -> None:
            cpu = cpus.get()
            found = self.job(crew, key, cpu, beside - 1)
            cpus.put(cpu)
            if not crew.dismissed:  # else it was interrupted, which is not a result
                write(self.folder.job_path(*key), found)
                self.done(f"{self.plan.works[key[0]].task.name}, {self.plan.lanes[key[1]]}")

        with ThreadPoolExecutor(beside) as pool, Crew(self.limits.memory) as crew:
            list(pool.map(run, [key for key in keys if not self.folder.job_path(*key).exists()]))

    def job(self, crew: Crew, key: Key, cpu: int, beside: int) -> Job:
        """One cold process, from its start to its last answer; whatever comes of it is a Job."""
        task, lane, repeat = key
        name: dict[str, Any] = {"task": self.plan.works[task].task.name, "lane": self.plan.lanes[lane]}
        cache = self.folder.cache / "-".join(map(str, key))
        shutil.rmtree(cache, ignore_errors=True)
        rng = np.random.default_rng([self.plan.seed, *key])
        regime, device = self.plan.threads, self.plan.device
        env = surroundings(threads=regime, cpus=[cpu], device=device, cache=cache, rng=rng)
        found: dict[str, Any] = {}
        try:
            with contextlib.closing(crew.hire(env)) as worker:
                opened = worker.ask("open", limit=self.limits.start, lane=name["lane"], device=device)
                found["arm"] = loosely(Arm, opened["arm"])
                worker.ask(
                    "load", limit=self.limits.start, task=name["task"], folder=self.folder.scratch(task)
                )
                first = worker.ask("first", limit=self.limits.start, task=name["task"])
                found["cold"] = Cold(
                    **name, repeat=repeat, import_s=opened["import_s"], beside=beside, **first
                )
                if repeat == 0:
                    self.certify(worker, name, self.folder.final(task, lane), found)
                    if cache.exists():
                        shutil.copytree(cache, self.folder.warm, dirs_exist_ok=True)
        except WorkerError as error:
            failure = Failure(**name, phase=PHASES.get(error.verb, error.verb), reason=str(error))
            found["failures"] = (failure,)
        shutil.rmtree(cache, ignore_errors=True)
        return Job(**found)

    def certify(self, worker: Worker, name: dict[str, Any], final: str, found: dict[str, Any]) -> None:
        """The certificate, and for a lane that passes the accuracy that its training reaches, step by step."""
        keep = self.plan.effort.kept
        reply = worker.ask("certify", limit=self.limits.certify, **name, final=final, keep=keep)
        certificate = loosely(Certificate, reply["certificate"])
        found["certified"] = Certified(**name, certificate=certificate)
        if self.train and certificate.status == "pass":
            reply = worker.ask("train", limit=self.limits.certify, task=name["task"])
            found["certified"] = loosely(
                Certified, {**name, "certificate": certificate.model_dump(mode="json"), **reply}
            )


def measure_ceilings(folder: Folder, plan: Plan, limits: Limits) -> None:
    """The machine's ceilings for the record; whatever of them cannot be measured is left out.

    They are those of the CPU: to a lane on an accelerator they say nothing.
    """
    lanes = {arm.framework: arm.lane for arm in reversed(folder.record().arms)}
    if plan.on_cpu:
        rng = np.random.default_rng([plan.seed, len(plan.works)])
        folder.keep(ceilings(folder, plan.works, lanes, plan.threads, limits, rng)[0])
    else:
        folder.keep(Ceilings())


def ceilings(
    folder: Folder,
    works: Sequence[PlannedWork],
    lanes: Mapping[str, str],
    threads: Threads,
    limits: Limits,
    rng: np.random.Generator,
) -> tuple[Ceilings, dict[str, str]]:
    """Memory and BLAS rates in a worker with NumPy alone; each framework's cheapest call in one of its own.

    `lanes`: one of each framework. Also gives the reason for every task or framework that could not be measured.
    """
    cpus, reasons = allowed_cpus()[-1:], dict[str, str]()
    env = surroundings(threads=threads, cpus=cpus, device="cpu", cache=folder.warm, rng=rng)
    found, calls = [], []
    for index, work in enumerate(works):
        with Crew(limits.memory) as crew, _reason(reasons, work.task.name):
            rates = crew.hire(env).ask("ceiling", limit=limits.start, folder=folder.scratch(index))
            found.append(Ceiling(task=work.task.name, **rates))
    for framework, lane in lanes.items():
        with Crew(limits.memory) as crew, _reason(reasons, framework):
            worker = crew.hire(env)
            worker.ask("open", limit=limits.start, lane=lane, device="cpu")
            if call := worker.ask("dispatch", limit=limits.start):
                calls.append(Dispatch(framework=framework, **call))
    return Ceilings(ceilings=tuple(found), dispatches=tuple(calls)), reasons


@contextlib.contextmanager
def _reason(reasons: dict[str, str], name: str) -> Iterator[None]:
    """Note under a name why a worker gave nothing."""
    try:
        yield
    except WorkerError as error:
        reasons[name] = str(error)


def measure_phases(folder: Folder, plan: Plan, limits: Limits, done: Done) -> None:
    """Where the time goes in every lane that is proven, each in a worker of its own, one after another."""
    rng = np.random.default_rng([plan.seed, len(plan.works) + 1])
    cpus, ledgers = allowed_cpus()[-1:], []
    for each in folder.record().certified:
        if each.certificate.status != "pass":
            continue
        env = surroundings(threads=plan.threads, cpus=cpus, device=plan.device, cache=folder.warm, rng=rng)
        index = [work.task.name for work in plan.works].index(each.task)
        with Crew(limits.memory) as crew, contextlib.suppress(WorkerError):
            worker = crew.hire(env)
            worker.ask("open", limit=limits.start, lane=each.lane, device=plan.device)
            worker.ask("load", limit=limits.start, task=each.task, folder=folder.scratch(index))
            found = worker.ask("phases", limit=limits.start, task=each.task)
            ledgers.append(Ledger(task=each.task, lane=each.lane, **found))
        done(f"{each.task}, {each.lane}")
    folder.keep(Ledgers(ledgers=tuple(ledgers)))


def loosely(kind: type[M], value: dict[str, Any]) -> M:
    """A strict model from decoded JSON, where tuples have become lists."""
    return kind.model_validate_json(json.dumps(value))
