"""What a run is to measure: the options resolved, every name checked, once and here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, get_args

from samestep import backends
from samestep.backends.interface import Device, LaneName
from samestep.backends.spec import Dtype, Task

from .. import datasets, tasks
from ..console.choices import by_reason, pick
from ..console.errors import InputError
from ..record import Effort, Threads
from ..record.plan import work_pairs
from .able_lanes import Pair, has_device, idle_lanes, unsupported_pairs, why_not
from .efforts import EFFORTS, UNTIL
from .file_task import task_of_data
from .folder import RunFolder
from .options import OF_DATA, Options, is_given, typed

DEFAULT_TASKS = ("lesson", "diabetes")
DEFAULT_BASELINE = "torch"
FRAMEWORKS = ("numpy", "torch", "jax", "numba")  # the order of the lesson's columns; others follow
DEVICES = ("cpu", "cuda", "mps", "tpu")


@dataclass(frozen=True)
class RunRequest:
    """What to measure, and the folder that keeps it.

    lanes: registered names, or "module:Class"; those that can run here.
    missing_lanes, left_out_tasks: lanes and default tasks that cannot run here, each with the reason.
    unsupported: by task and lane why that lane cannot do that task; it is then in the race of the others alone.
    phases: also measure where the time of a step goes.
    resumed: the run was begun earlier in the folder `out`; its plan decides.
    seed: of everything that is drawn; another one for each run where it is None.
    seconds: how long a run with looks may take: it ends at one where the next would come too late.
    understood: how the file of --data was read, in a few lines.
    """

    tasks: tuple[Task, ...]
    lanes: tuple[str, ...]
    baseline: str
    effort: Effort
    out: Path
    threads: Threads = "one"
    device: Device = Device("cpu")  # noqa: RUF009 - frozen
    missing_lanes: Mapping[str, str] = field(default_factory=dict)
    left_out_tasks: Mapping[str, str] = field(default_factory=dict)
    unsupported: Mapping[Pair, str] = field(default_factory=dict)
    phases: bool = False
    resumed: bool = False
    seed: int | None = None
    seconds: float | None = None
    understood: tuple[str, ...] = ()

    @property
    def told_first(self) -> tuple[str, ...]:
        """Lines that a user sees before anything is measured."""
        looks = " or ".join(map(str, self.effort.looks))
        sooner = f"ends after {looks} of {self.effort.blocks} blocks where everything is decided by then"
        return (*self.understood, sooner) if looks else self.understood

    @property
    def missing(self) -> dict[str, str]:
        """All that cannot run here, with the reasons."""
        return {**self.missing_lanes, **self.left_out_tasks}

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Task and lane of all that is to be measured."""
        return work_pairs([task.name for task in self.tasks], self.lanes, self.unsupported)


class ChosenTasks(NamedTuple):
    """The tasks, default tasks that are left out with the reason, and how a file was read."""

    tasks: tuple[Task, ...]
    left_out: Mapping[str, str] = MappingProxyType({})
    understood: tuple[str, ...] = ()


def resolve(options: Options, *, tasks: Sequence[Task] = (), race: bool = True) -> RunRequest:
    """A request from options and tasks of the caller's own; a race always has its baseline among the lanes.

    Raises:
        InputError: an unknown task, lane, device, effort or thread regime, data that cannot be used, a folder
            that holds another run, or none to resume.
    """
    if options.resume:
        return begun_earlier(options, options.resume)
    device = choose_device(options.device)
    baseline = pick("baseline", options.baseline or DEFAULT_BASELINE, by_tier(backends.names()))
    lanes = choose_lanes(options.lane)
    if race and baseline not in lanes and (options.baseline or why_not(baseline, device) is None):
        lanes = by_tier((*lanes, baseline))
    missing = {lane: reason for lane in lanes if (reason := why_not(lane, device))}
    able = tuple(lane for lane in lanes if lane not in missing)
    if not able:
        raise InputError(f"no lane can run here: {by_reason(missing)}")
    if options.lane and missing.keys() >= set(
        options.lane
    ):  # what is left is the baseline, which nobody named
        raise InputError(f"none of the named lanes can run here: {by_reason(missing)}")
    if options.baseline and baseline in missing:
        raise InputError(f"the baseline {baseline} cannot run here: {missing[baseline]}")
    out = Path(options.out) if options.out else default_folder()
    RunFolder(out).check_free()
    if race:
        RunFolder(out).check_writable()
    chosen, effort = choose_tasks(options, tasks), choose_effort(options)
    request = RunRequest(
        tasks=chosen.tasks,
        left_out_tasks=chosen.left_out,
        understood=chosen.understood,
        lanes=able,
        missing_lanes=missing,
        baseline=baseline if baseline in able else able[0],
        effort=effort,
        seconds=choose_seconds(options, effort),
        threads=pick("threads", options.threads, get_args(Threads)),
        device=device,
        out=out,
        phases=options.phases,
    )
    return supported(request, options, race=race)


def supported(request: RunRequest, options: Options, *, race: bool = True) -> RunRequest:
    """The request with what its lanes cannot do left out, each with the reason; a baseline does every task.

    Raises:
        InputError: no lane, or none of those named, can do any of the tasks, or none can be the baseline.
    """
    unsupported = unsupported_pairs(request.tasks, request.lanes)
    idle = idle_lanes(request.tasks, request.lanes, unsupported)
    lanes, missing = (
        tuple(lane for lane in request.lanes if lane not in idle),
        {**request.missing_lanes, **idle},
    )
    if not lanes or (options.lane and missing.keys() >= set(options.lane)):
        which = "none of the named lanes" if options.lane else "no lane"
        raise InputError(f"{which} can do these tasks: {by_reason(missing)}")
    request = replace(
        request,
        lanes=lanes,
        missing_lanes=missing,
        unsupported={pair: why for pair, why in unsupported.items() if pair[1] in lanes},
    )
    return replace(request, baseline=whole_baseline(request, options, unsupported)) if race else request


def whole_baseline(request: RunRequest, options: Options, unsupported: Mapping[Pair, str]) -> str:
    """The baseline, if it does every task; the first lane that does where nobody named one.

    Raises:
        InputError: the one that was named does not, or none does.
    """
    refusals = {task: why for (task, lane), why in unsupported.items() if lane == request.baseline}
    if not refusals:
        return request.baseline
    if options.baseline:
        raise InputError(f"the baseline {request.baseline} cannot do {by_reason(refusals)}")
    partial = {lane for _, lane in unsupported}
    whole = [lane for lane in request.lanes if lane not in partial]
    if not whole:
        raise InputError("no lane does all of these tasks, which a baseline must: compare fewer at a time")
    return whole[0]


def begun_earlier(options: Options, folder: str) -> RunRequest:
    """The run that was begun in a folder, as it was planned then; no other option goes with it."""
    for option in fields(Options):
        if option.name not in ("resume", "quiet", "minutes") and is_given(options, option.name):
            raise InputError(
                f"--resume goes on as {folder} was begun: leave out {typed(option.name)}, or start a new run"
            )
    place = RunFolder(folder)
    place.check_begun()
    plan = place.plan()
    return RunRequest(
        tasks=tuple(work.task for work in plan.works),
        left_out_tasks=plan.left_out_tasks,
        lanes=plan.lanes,
        missing_lanes=plan.missing_lanes,
        unsupported=plan.unsupported_pairs,
        baseline=plan.baseline,
        effort=plan.effort,
        threads=plan.threads,
        device=Device.parse(plan.device),
        out=Path(folder),
        phases=plan.phases,
        resumed=True,
        seed=plan.seed,
        seconds=choose_seconds(options, plan.effort),
    )


def choose_effort(options: Options) -> Effort:
    """The effort of a name, or that of a run with looks.

    Raises:
        InputError: there is none of that name, or both were asked for.
    """
    if options.until is None:
        return EFFORTS[pick("effort", options.effort, tuple(EFFORTS))]
    if is_given(options, "effort"):
        raise InputError("--until says how many blocks there are: leave out --effort")
    return UNTIL[pick("end", options.until, tuple(UNTIL))]


def choose_seconds(options: Options, effort: Effort) -> float | None:
    """The seconds of --minutes.

    Raises:
        InputError: it is no number above 0, or the run has no looks at which it could end.
    """
    if options.minutes is None:
        return None
    try:
        minutes = float(options.minutes)
    except ValueError:
        minutes = math.nan
    seconds = seconds_of(minutes, options.minutes)
    if not effort.looks:
        raise InputError("--minutes goes with --until: the other efforts have a fixed number of blocks")
    return seconds


def seconds_of(minutes: float, typed: str) -> float:
    """The seconds of a number of minutes.

    Raises:
        InputError: it is none above 0, as it was typed.
    """
    if not 0 < minutes < math.inf:
        raise InputError(f"--minutes {typed}: name a number of minutes above 0")
    return 60 * minutes


def choose_device(text: str) -> Device:
    """A kind of device, or one of several of a kind: cuda, cuda:1. Whether it is here is asked of each lane."""
    try:
        device = Device.parse(text)
    except ValueError:
        if ":" in text:
            message = f"--device {text}: give its number after the colon, as in cuda:1"
            raise InputError(message) from None
        device = Device(text)
    kind = {"gpu": "cuda"}.get(device.kind, device.kind)
    return Device(pick("device", kind, DEVICES), device.index)


def choose_lanes(chosen: Sequence[str]) -> tuple[str, ...]:
    """The lanes of --lane, by default all that have a device; a framework's name alone means that lane only."""
    names = by_tier(backends.names())
    named = dict.fromkeys(pick("lane", lane, names) for lane in chosen)
    return tuple(named or filter(has_device, names))


def by_tier(names: Sequence[str]) -> tuple[str, ...]:
    """Documented lanes first, then their modes, the frameworks in the same order within each."""

    def place(text: str) -> tuple[bool, bool, int, str]:
        name = LaneName.parse(text)
        framework = FRAMEWORKS.index(name.framework) if name.framework in FRAMEWORKS else len(FRAMEWORKS)
        return bool(name.form), name.form == "fused", framework, text

    return tuple(sorted(names, key=place))


def choose_tasks(options: Options, own_tasks: Sequence[Task] = ()) -> ChosenTasks:
    """The caller's own tasks and those of --task and --data; when there are none the defaults."""
    dtype: Dtype = pick("dtype", options.dtype, get_args(Dtype))
    chosen = [*own_tasks, *(tasks.get(name, dtype=dtype) for name in dict.fromkeys(options.task))]
    if not options.data:
        if given := [typed(name) for name in OF_DATA if is_given(options, name)]:
            raise InputError(f"{' and '.join(given)}: only with --data FILE")
        return ChosenTasks(tuple(chosen)) if chosen else default_tasks(dtype)
    task, understood = task_of_data(options, options.data, dtype)
    return ChosenTasks((*chosen, task), understood=understood)


def default_tasks(dtype: Dtype) -> ChosenTasks:
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
    return ChosenTasks(tuple(able), left_out)


def default_folder() -> Path:
    """results/local/ and the time: one folder for each run, never committed."""
    return Path("results", "local", datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
