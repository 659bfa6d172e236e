"""Records for the page's tests: one with every kind of trouble, one with hostile names, one over a grid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from samestep.benchmarks.record import Failure, Record
from tests.helpers import grid_records
from tests.helpers.records import record

HOSTILE = "<script>alert(1)</script>"
WORSE = "</script><img src=x onerror=alert(2)>'\"&"
EVEN = [1.0, 1.001, 0.999, 1.0, 1.002, 0.998]


def awkward() -> Record:
    """A lane for each verdict but SLOWER: FASTER, EQUIVALENT, UNDECIDED, UNSTABLE, INVALID, FAILED."""

    def change(lane: str, block: int, round: int) -> Mapping[str, Any]:
        stolen = {"steal_ns": 10_000_000} if lane == "jax:tuned" else {}
        return stolen | ({"compilations": 1} if lane == "torch:compile" else {})

    ratios = {
        "numpy": [0.5 * value for value in EVEN],
        "numpy:tuned": EVEN,
        "jax": [1.2, 0.9, 1.1, 0.8, 1.0, 1.3],
        "jax:tuned": [0.7 * value for value in EVEN],
        "torch:compile": [0.25 * value for value in EVEN],
        "torch:fused": [0.3 * value for value in EVEN],
    }
    failures = [Failure(task="lesson", lane="torch:fused", phase="slice", reason="it hung & was <killed>")]
    cold = {"torch": 0.02, "numpy": 0.01, "jax": 2.0, "jax:tuned": 1.5}
    return record(ratios, failures=failures, change=change, cold=cold, noise=0.01)


def hostile() -> Record:
    """A record whose task and lanes have names that a careless page would run."""
    made = record({"numpy": [0.5 * value for value in EVEN], "jax": EVEN}, cold={"torch": 0.02, "jax": 1.0})
    text = made.model_dump_json()
    for old, new in (("lesson", WORSE), ("numpy", HOSTILE), ("jax", WORSE + " 2")):
        text = text.replace(json.dumps(old), json.dumps(new))
    return Record.model_validate_json(text)


def grid(batches: Sequence[int] = (1, 8, 64), features: Sequence[int] = (2, 32)) -> Record:
    """Three lanes over a grid of sizes: one with little overhead, and two with the same higher rate."""
    rng, sizes = np.random.default_rng(1), {}
    for batch, count in product(batches, features):
        size = 4 * batch * (count + 1)
        us = {"torch": 20.02 + size / 3.9e3, "numpy": 5 + size / 2e2, "jax": 20 + size / 4e3}
        noise = {lane: 1 + rng.normal(0, 0.002, 6) for lane in us}
        sizes[batch, count] = {lane: (us[lane] * noise[lane]).tolist() for lane in us}
    return grid_records.grid(sizes)
