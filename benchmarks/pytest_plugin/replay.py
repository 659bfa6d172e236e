"""What pytest-benchmark is given to time: the samples of a run."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from ..console.errors import InputError

if TYPE_CHECKING:  # the plugin is loaded with every pytest run: nothing heavy before it is needed
    from ..analysis import RecordAnalysis
    from ..measure import RunRequest
    from ..record import AnyRecord


class Replay:
    """The run of the selected tasks and lanes, and its samples once it has been measured."""

    record: AnyRecord

    def __init__(self, config: pytest.Config, request: RunRequest, selected: set[tuple[str, str]]) -> None:
        tasks, lanes = ({pair[place] for pair in selected} for place in (0, 1))
        lanes.add(request.baseline)  # -k torch:tuned still needs its yardstick
        self.config = config
        self.folder = ExitStack()  # holds the run's folder, from planning to the last write
        self.request = replace(
            request,
            tasks=tuple(task for task in request.tasks if task.name in tasks),
            lanes=tuple(lane for lane in request.lanes if lane in lanes),
            unsupported={
                (task, lane): why
                for (task, lane), why in request.unsupported.items()
                if task in tasks and lane in lanes
            },
        )

    @property
    def is_measured(self) -> bool:
        """Whether there is a record."""
        return hasattr(self, "record")

    def measure(self) -> None:
        """Measure everything, by the same calls as `samestep compare`."""
        from ..console.progress import progress
        from ..console.streams import tolerant_streams
        from ..measure import duration, measure
        from ..measure.exclusive import made_folder

        capture = self.config.pluginmanager.getplugin("capturemanager")  # None under -p no:capture
        shown = capture.global_and_fixture_disabled() if capture else nullcontext()
        expected, quiet = duration.expected(self.request), self.config.get_verbosity() < 0
        watched = progress(expected, first=self.request.told_first, quiet=quiet)
        with shown, tolerant_streams(), watched as report:
            try:
                self.folder.enter_context(made_folder(self.request.out))
                self.record = measure(self.request, progress=report)
            except InputError as error:  # data that cannot be used concern every test alike
                pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))

    @cached_property
    def analysis(self) -> RecordAnalysis:
        """The figures of every task and lane."""
        from ..analysis import RecordAnalysis

        return RecordAnalysis(self.record)

    def barred(self, task: str, lane: str) -> str | None:
        """Why this lane shows no time, or None."""
        row = self.analysis.row_of[task, lane]
        return f"{row.verdict.word}: {row.verdict.reason}" if row.time is None else None

    def seconds_per_step(self, task: str, lane: str) -> list[float]:
        """The raw samples in the order in which they were measured."""
        return list(self.analysis[task, lane].seconds_per_step)

    def extra_info(self, task: str, lane: str) -> dict[str, Any]:
        """What pytest-benchmark's JSON says beside the samples."""
        from .adapter import extra_info

        return extra_info(self.analysis.row_of[task, lane])

    def run_once(self, task: str, lane: str) -> None:
        """Under --benchmark-disable: one untimed epoch in this process, to see that it runs."""
        from samestep import backends

        from .. import datasets, parity

        spec = next(spec for spec in self.request.tasks if spec.name == task)
        backend = backends.load(lane, str(self.request.device))
        x, y = datasets.load(spec.dataset).rounded(spec.dtype)
        with backend.precision(spec.dtype):
            state = backend.init(spec, params=parity.initial_parameters(spec))
            data = backend.put(x), backend.put(y)
            learning_rates = spec.learning_rates(len(x))[0]
            order = spec.row_order(len(x), 0)
            backend.sync(backend.epoch(state, data, order, spec.batch_size, learning_rates))
