"""Experiment: is a correct lane ever called wrong? Every lane on random tasks, each chunk in a fresh process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

from samestep.benchmarks.measure import environment
from samestep.benchmarks.measure.environment import allowed_cpus
from samestep.benchmarks.record.files import write_text
from samestep.benchmarks.record.proof import Certificate
from validation.store import lanes

CASES = 500
COMPILED_CASES = 25  # a compiled torch program takes seconds for each task
COMPILED = ("torch:compile", "torch:fused")
CHUNK = 25
Chunk: TypeAlias = tuple[str, int, int, int]  # lane, first and last case, and how many cases are drawn in all


def run(cases: int, folder: Path, progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Certify every lane on so many tasks; chunks that lie in `folder` are not run again by the same code."""
    now = environment.read()
    folder = folder / f"{now.source}-{now.installed}-{cases}"
    chunks = [
        (lane, start, min(start + CHUNK, count), cases)
        for lane in lanes()
        for count in [min(cases, COMPILED_CASES) if lane in COMPILED else cases]
        for start in range(0, count, CHUNK)
    ]
    paths = {chunk: folder / f"{chunk[0].replace(':', '-')}-{chunk[1]}-{chunk[2]}.json" for chunk in chunks}
    missing = [chunk for chunk in chunks if not paths[chunk].exists()]
    missing.sort(key=lambda chunk: chunk[0] not in COMPILED)  # the longest first
    done = len(chunks) - len(missing)
    context = get_context("spawn")
    with ProcessPoolExecutor(len(allowed_cpus()), mp_context=context, max_tasks_per_child=1) as pool:
        futures = {pool.submit(certified, chunk): chunk for chunk in missing}
        for future in as_completed(futures):
            write_text(paths[futures[future]], json.dumps(future.result()))
            done += 1
            progress(done, len(chunks), futures[future][0])
    found: dict[str, list[dict[str, Any]]] = {}
    for chunk in chunks:
        found.setdefault(chunk[0], []).extend(json.loads(paths[chunk].read_bytes()))
    return {"lanes": {lane: summary(results) for lane, results in found.items()}}


def certified(chunk: Chunk) -> list[dict[str, Any]]:
    """The certificates of one lane on a few tasks, in a process of its own."""
    from samestep import backends
    from samestep.benchmarks.parity import certify
    from validation.drawn import first

    lane, start, stop, cases = chunk
    backend, found = backends.load(lane), []
    every = max(1, cases // COMPILED_CASES) if lane in COMPILED else 1  # Hypothesis begins with simple cases
    for index, (task, rows) in list(enumerate(first(cases)))[::every][start:stop]:
        certificate = certify(backend, task, rows, lane=lane)
        shares = [
            worst.share for piece in certificate.evidence for worst in piece.judgement.quantities.values()
        ]
        result: dict[str, Any] = {
            "status": certificate.status,
            "share": max(shares, default=0.0),
            "steps": steps(certificate),
        }
        if certificate.status == "fail":
            result |= {"case": index, "task": task.model_dump(mode="json"), "reason": certificate.reason}
        found.append(result)
    return found


def steps(certificate: Certificate) -> int:
    """Steps that were judged, in both dtypes."""
    return sum(piece.judgement.steps for piece in certificate.evidence)


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A lane's counts, the largest share of a bound that it used where it passed, and every alarm in full."""
    counts = Counter(result["status"] for result in results)
    passed = [result["share"] for result in results if result["status"] == "pass"]
    return {
        "tasks": len(results),
        "steps": sum(result["steps"] for result in results),
        "passed": counts["pass"],
        "diverged": counts["diverged"],
        "alarms": [result for result in results if result["status"] not in ("pass", "diverged")],
        "largest_share": max(passed, default=None),
    }
