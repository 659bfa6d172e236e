"""Experiment: is a correct lane ever called wrong? Every lane on random tasks, each chunk in a fresh process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from samestep.benchmarks.console.progress import Progress
from samestep.benchmarks.measure import environment
from samestep.benchmarks.record.files import json_text, write_text

CASES = 500
COMPILED_CASES = 25  # a compiled torch program takes seconds for each task
COMPILED = ("torch:compile", "torch:fused")
CHUNK = 25


class CaseChunk(NamedTuple):
    """A lane's cases from `start` to before `stop`, of so many that are drawn in all."""

    lane: str
    start: int
    stop: int
    drawn: int

    def path(self, folder: Path) -> Path:
        return folder / f"{self.lane.replace(':', '-')}-{self.start}-{self.stop}.json"


def run(lanes: Sequence[str], cases: int, folder: Path, progress: Progress) -> dict[str, Any]:
    """Certify the lanes on so many tasks; chunks that lie in `folder` are not run again by the same code."""
    now = environment.read()
    folder = folder / f"{now.source}-{now.installed}-{cases}"
    chunks = [chunk for lane in lanes for chunk in chunks_of(lane, cases)]
    missing = [chunk for chunk in chunks if not chunk.path(folder).exists()]
    missing.sort(key=lambda chunk: chunk.lane not in COMPILED)  # the longest first
    done = len(chunks) - len(missing)
    processes, context = len(environment.allowed_cpus()), get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=1) as pool:
        futures = {pool.submit(certified, chunk): chunk for chunk in missing}
        for future in as_completed(futures):
            path = futures[future].path(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json_text(future.result()))
            done += 1
            progress("alarms", done, len(chunks), futures[future].lane)
    results: dict[str, list[dict[str, Any]]] = {lane: [] for lane in lanes}
    for chunk in chunks:
        results[chunk.lane] += json.loads(chunk.path(folder).read_bytes())
    return {"lanes": {lane: summary(rows) for lane, rows in results.items()}}


def chunks_of(lane: str, cases: int) -> list[CaseChunk]:
    """The work of one lane in pieces; a compiled lane has fewer cases."""
    count = min(cases, COMPILED_CASES) if lane in COMPILED else cases
    return [CaseChunk(lane, start, min(start + CHUNK, count), cases) for start in range(0, count, CHUNK)]


def certified(chunk: CaseChunk) -> list[dict[str, Any]]:
    """The certificates of one lane on a few tasks, in a process of its own."""
    from samestep import backends
    from samestep.benchmarks.parity import certify
    from validation.drawn import first

    # Hypothesis begins with simple cases, so a lane with fewer takes them from the whole range
    every = max(1, chunk.drawn // COMPILED_CASES) if chunk.lane in COMPILED else 1
    backend, results = backends.load(chunk.lane), []
    for index, (task, rows) in list(enumerate(first(chunk.drawn)))[::every][chunk.start : chunk.stop]:
        certificate = certify(backend, task, rows, lane=chunk.lane)
        judgements = [piece.judgement for piece in certificate.evidence]
        bound_ratios = [worst.share for judged in judgements for worst in judged.quantities.values()]
        result: dict[str, Any] = {
            "status": certificate.status,
            "share": max(bound_ratios, default=0.0),
            "steps": sum(judged.steps for judged in judgements),  # in both dtypes
        }
        if certificate.status == "fail":
            result |= {"case": index, "task": task.as_json(), "reason": certificate.reason}
        results.append(result)
    return results


def summary(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A lane's counts, the largest part of a bound that it used where it passed, and every alarm in full."""
    counts = Counter(result["status"] for result in results)
    return {
        "tasks": len(results),
        "steps": sum(result["steps"] for result in results),
        "passed": counts["pass"],
        "diverged": counts["diverged"],
        "alarms": [result for result in results if result["status"] not in ("pass", "diverged")],
        "largest_share": max((one["share"] for one in results if one["status"] == "pass"), default=None),
    }


def faults(result: dict[str, Any]) -> list[str]:
    """A line for each correct lane that was called wrong."""
    alarms = ((lane, alarm) for lane, summary in result["lanes"].items() for alarm in summary["alarms"])
    return [f"{lane}, task {alarm.get('case')}: {alarm.get('reason')}" for lane, alarm in alarms]
