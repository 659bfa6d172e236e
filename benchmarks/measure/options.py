"""What a session is asked to do, from the command line's or pytest's options: checked once, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from samestep import backends
from samestep.backends.spec import Dtype, Task

from .. import datasets, tasks
from ..console.choices import by_reason, pick
from ..console.errors import InputError
from ..record import Threads
from ..record.plan import Effort
from .efforts import EFFORTS
from .folder import Folder

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
    resume: str | None = None
    phases: bool = False


@dataclass(frozen=True)
class Session:
    """The options resolved: every name known, the lanes that can run here apart from those that cannot.

    `missing` are lanes and `left_out` default tasks, each with the reason why it cannot run here.
    """

    tasks: tuple[Task, ...]
    left_out: dict[str, str]
    lanes: tuple[str, ...]
    missing: dict[str, str]
    baseline: str
    effort: Effort
    threads: Threads
    device: str
    out: Path
    phases: bool = False
    resumed: bool = False


def resolve(options: Options, *, race: bool = True) -> Session:
    """A session from options; a race always has its baseline among the lanes.

    Raises:
        InputError: an unknown task, lane, device, effort or thread regime, data that cannot be used, a folder
            that holds another run, or none to resume.
    """
    if options.resume:
        return interrupted(options, options.resume)
    device = choose_device(options.device)
    baseline = pick("baseline", options.baseline or DEFAULT_BASELINE, by_tier(backends.names()))
    lanes = choose_lanes(options.lane)
    if race and baseline not in lanes and (options.baseline or why_not(baseline, device) is None):
        lanes = by_tier((*lanes, baseline))
    missing = {lane: reason for lane in lanes if (reason := why_not(lane, device))}
    able = tuple(lane for lane in lanes if lane not in missing)
    if not able:
        raise InputError(f"no lane can run here: {by_reason(missing)}")
    if options.baseline and baseline in missing:
        raise InputError(f"the baseline {baseline} cannot run here: {missing[baseline]}")
    chosen, left_out = choose_tasks(options)
    return Session(
        tasks=chosen,
        left_out=left_out,
        lanes=able,
        missing=missing,
        baseline=baseline if baseline in able else able[0],
        effort=EFFORTS[pick("effort", options.effort, tuple(EFFORTS))],
        threads=pick("threads", options.threads, get_args(Threads)),
        device=device,
        out=_free(Path(options.out)) if options.out else default_folder(),
        phases=options.phases,
    )


def choose_device(given: str) -> str:
    """A kind of device, or one of several of a kind: cuda, cuda:1. Whether it is here is asked of each lane."""
    kind, colon, number = given.partition(":")
    kind = pick("device", {"gpu": "cuda"}.get(kind, kind), DEVICES)
    if not colon:
        return kind
    if not number.isdecimal():
        raise InputError(f"--device {given}: give its number after the colon, as in {kind}:1")
    return f"{kind}:{int(number)}" if int(number) else kind


def interrupted(options: Options, folder: str) -> Session:
    """The session that was begun in a folder, as it was planned then; no other option goes with it."""
    for field in fields(Options):
        if field.name != "resume" and (getattr(options, field.name) or field.default) != field.default:
            raise InputError(
                f"--resume goes on as {folder} was begun: leave out --{field.name}, or start a new run"
            )
    place = Folder(folder)
    if not place.begun:
        found = "a finished run" if (Path(folder) / "benchmark.json").exists() else "no run"
        raise InputError(f"--resume {folder}: holds {found}, so there is nothing to go on with")
    plan = place.plan()
    return Session(
        tasks=tuple(work.task for work in plan.works),
        left_out={task: why for task, why in plan.missing.items() if task in tasks.names()},
        lanes=plan.lanes,
        missing={lane: why for lane, why in plan.missing.items() if lane not in tasks.names()},
        baseline=plan.baseline,
        effort=plan.effort,
        threads=plan.threads,
        device=plan.device,
        out=Path(folder),
        resumed=True,
    )


def why_not(lane: str, device: str) -> str | None:
    """Why a lane cannot run on a device here; None when it can."""
    if reason := backends.missing(lane):
        return reason
    devices = backends.lane_class(lane).devices()
    return None if device in devices else f"no device {device} here, only {', '.join(devices)}"


def _free(folder: Path) -> Path:
    """The folder, if no run is in it yet."""
    if folder.is_file():
        raise InputError(f"--out {folder} is a file: name a folder")
    if (folder / "benchmark.json").exists() or Folder(folder).begun:
        raise InputError(f"--out {folder} already holds a run: name another folder")
    return folder


def choose_lanes(chosen: Sequence[str]) -> tuple[str, ...]:
    """The lanes of --lane, all of them by default; a framework's name alone means that lane only."""
    names = by_tier(backends.names())
    return tuple(dict.fromkeys(pick("lane", lane, names) for lane in chosen)) or tuple(filter(placed, names))


def placed(lane: str) -> bool:
    """Whether a lane has a device here, or lacks more than that; one for absent devices alone is no default."""
    try:
        return bool(backends.lane_class(lane).devices())
    except backends.Unavailable:
        return True


def by_tier(names: Sequence[str]) -> tuple[str, ...]:
    """Documented lanes first, then their modes, the frameworks in the same order within each."""

    def place(name: str) -> tuple[bool, bool, int, str]:
        framework, _, form = name.partition(":")
        known = FRAMEWORKS.index(framework) if framework in FRAMEWORKS else len(FRAMEWORKS)
        return bool(form), form == "fused", known, name

    return tuple(sorted(names, key=place))


def choose_tasks(options: Options) -> tuple[tuple[Task, ...], dict[str, str]]:
    """The tasks of --task and of --data; when neither is given the defaults, and why any of them is left out."""
    dtype: Dtype = pick("dtype", options.dtype, get_args(Dtype))
    names = list(dict.fromkeys(options.task))
    chosen = [tasks.get(name, dtype=dtype) for name in names]
    if options.data:
        if not options.target:
            raise InputError(f"--data {options.data} needs --target COLUMN: the column to predict")
        features = tuple(name.strip() for name in options.features.split(",")) if options.features else None
        chosen.append(tasks.from_file(options.data, options.target, features, dtype=dtype))
    elif options.target or options.features:
        raise InputError("--target and --features need --data FILE")
    return (tuple(chosen), {}) if chosen else default_tasks(dtype)


def default_tasks(dtype: Dtype) -> tuple[tuple[Task, ...], dict[str, str]]:
    """The default tasks whose data can be had here, and why the others cannot: nobody asked for those by name."""
    able, left_out = [], {}
    for name in DEFAULT_TASKS:
        task = tasks.get(name, dtype=dtype)
        try:
            datasets.load(task.dataset)
        except InputError as error:
            left_out[name] = str(error)
        else:
            able.append(task)
    return tuple(able), left_out


def default_folder() -> Path:
    """results/local/ and the time: one folder for each run, never committed."""
    return Path("results", "local", datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
