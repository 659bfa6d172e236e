"""What a session is asked to do, from the command line's or pytest's options: checked once, here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import backends
from backends.spec import Dtype, Task
from benchmarks import tasks
from benchmarks.errors import InputError
from benchmarks.measure.effort import EFFORTS, Effort
from benchmarks.record import Threads

DEFAULT_TASKS = ("lesson", "diabetes")
DEFAULT_BASELINE = "torch"
FRAMEWORKS = ("numpy", "torch", "jax")  # the order of the lesson's columns; others follow
DEVICES = ("cpu", "cuda", "mps", "tpu")


@dataclass(frozen=True)
class Options:
    """The options as typed; empty sequences and None mean the default."""

    task: Sequence[str] = ()
    lane: Sequence[str] = ()
    data: str | None = None
    target: str | None = None
    features: str | None = None
    dtype: str = "float32"
    device: str = "cpu"
    threads: str = "one"
    effort: str = "quick"
    baseline: str | None = None
    out: str | None = None


@dataclass(frozen=True)
class Session:
    """The options resolved: every name known, the lanes that can run here apart from those that cannot."""

    tasks: tuple[Task, ...]
    lanes: tuple[str, ...]
    missing: dict[str, str]
    baseline: str
    effort: Effort
    threads: Threads
    device: str
    out: Path


def resolve(options: Options) -> Session:
    """A session from options.

    Raises:
        InputError: an unknown task, lane, device, effort or thread regime, or data that cannot be used.
    """
    lanes = choose_lanes(options.lane)
    missing = {lane: reason for lane in lanes if (reason := backends.missing(lane))}
    able = tuple(lane for lane in lanes if lane not in missing)
    if not able:
        raise InputError(
            "no lane can run here: " + "; ".join(f"{lane}: {why}" for lane, why in missing.items())
        )
    return Session(
        tasks=choose_tasks(options),
        lanes=able,
        missing=missing,
        baseline=_baseline(options.baseline, able, missing),
        effort=EFFORTS[pick("effort", options.effort, tuple(EFFORTS))],
        threads="one" if pick("threads", options.threads, get_args(Threads)) == "one" else "all",
        device=pick("device", {"gpu": "cuda"}.get(options.device, options.device), DEVICES),
        out=Path(options.out) if options.out else default_folder(),
    )


def choose_lanes(chosen: Sequence[str]) -> tuple[str, ...]:
    """The lanes of --lane, all of them by default; a framework's name alone means that lane only."""
    names = by_tier(backends.names())
    return tuple(dict.fromkeys(pick("lane", lane, names) for lane in chosen)) or names


def by_tier(names: Sequence[str]) -> tuple[str, ...]:
    """Documented lanes first, then their modes, the frameworks in the same order within each."""

    def place(name: str) -> tuple[bool, bool, int, str]:
        framework, _, form = name.partition(":")
        known = FRAMEWORKS.index(framework) if framework in FRAMEWORKS else len(FRAMEWORKS)
        return bool(form), form == "fused", known, name

    return tuple(sorted(names, key=place))


def choose_tasks(options: Options) -> tuple[Task, ...]:
    """The tasks of --task and of --data; the defaults when neither is given."""
    dtype = pick("dtype", options.dtype, get_args(Dtype))
    names = list(dict.fromkeys(options.task))
    chosen = [tasks.get(name, dtype=dtype) for name in names]
    if options.data:
        if not options.target:
            raise InputError(f"--data {options.data} needs --target COLUMN: the column to predict")
        features = tuple(name.strip() for name in options.features.split(",")) if options.features else None
        chosen.append(tasks.from_file(options.data, options.target, features, dtype=dtype))
    elif options.target or options.features:
        raise InputError("--target and --features need --data FILE")
    return tuple(chosen) or tuple(tasks.get(name, dtype=dtype) for name in DEFAULT_TASKS)


def _baseline(chosen: str | None, able: Sequence[str], missing: dict[str, str]) -> str:
    if chosen is None:
        return DEFAULT_BASELINE if DEFAULT_BASELINE in able else able[0]
    if chosen in missing:
        raise InputError(f"the baseline {chosen} cannot run here: {missing[chosen]}")
    return pick("baseline", chosen, able)


def pick(what: str, value: str, known: Sequence[str]) -> str:
    """The value, if it is known; otherwise one line with the nearest match."""
    if value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"unknown {what} {value!r}: {hint}choose from {', '.join(known)}")


def default_folder() -> Path:
    """results/local/ and the time: one folder for each run, never committed."""
    return Path("results", "local", datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
