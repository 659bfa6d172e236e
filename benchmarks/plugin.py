"""The pytest plugin: options, the choice of what is collected, the relay before the first benchmark, the record.

Loaded by `addopts = -p benchmarks.plugin`, so that the options parse from anywhere. pytest-benchmark stays what
it is: its JSON is the record, with everything of ours under one versioned key, and its own tables, saving and
comparing work on the replayed samples.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import InputError
from benchmarks.record import KEY, WHOLE

BENCH = Path(__file__).with_name("bench_training.py")
SAVER = "pytest-benchmark"  # the name of its session among the plugins
SESSION = pytest.StashKey[Any]()
RACE = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `samestep compare`, under the same names."""
    group = parser.getgroup("samestep", "training benchmarks of samestep")
    group.addoption(
        "--lane", action="append", default=[], help="a lane to run; repeat for more (default: all)"
    )
    group.addoption(
        "--task", action="append", default=[], help="a task; repeat for more (default: lesson, diabetes)"
    )
    group.addoption("--data", help="a CSV or Parquet file as a further task")
    group.addoption("--target", help="the column of --data to predict")
    group.addoption(
        "--features", help="the columns of --data to predict from, with commas (default: all others)"
    )
    group.addoption("--dtype", default="float32", help="float32 or float64 (default: float32)")
    group.addoption("--device", default="cpu", help="cpu, cuda, mps or tpu (default: cpu)")
    group.addoption(
        "--threads", default="one", help="one: each lane on one core; all: as shipped (default: one)"
    )
    group.addoption(
        "--effort", default="quick", help="smoke (to try), quick, standard or rigorous (default: quick)"
    )
    group.addoption("--baseline", help="the lane that the others are compared with (default: torch)")
    group.addoption("--out", help="folder for the run's results (default: results/local/TIME)")
    group.addoption("--phases", action="store_true", help="also where the time of a step goes")
    group.addoption("--resume", help="go on with the interrupted run in this folder")


def pytest_configure(config: pytest.Config) -> None:
    """`pytest --benchmark-only` without a path means the benchmarks; bad options end here, before collecting."""
    only = config.getoption("benchmark_only", False)
    if only and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args = [str(BENCH)]
    if any(Path(word.partition("::")[0]).name == BENCH.name for word in config.args):
        session(config)


def session(config: pytest.Config) -> Any:
    """The options resolved, once; bad ones are pytest's usage error."""
    from benchmarks.session import Options, resolve

    if SESSION not in config.stash:
        values = {name: config.getoption(name) for name in Options.__dataclass_fields__}
        try:
            config.stash[SESSION] = resolve(Options(**values))
        except InputError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[SESSION]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each task and lane; what cannot run here is skipped with its reason."""
    if not {"task", "lane", "race"} <= set(metafunc.fixturenames):
        return
    asked = session(metafunc.config)
    metafunc.parametrize("task", [*(task.name for task in asked.tasks), *_skipped(asked.left_out)])
    metafunc.parametrize("lane", [*asked.lanes, *_skipped(asked.missing)])


def _skipped(reasons: dict[str, str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.skip(reason=why)) for name, why in reasons.items()]


@pytest.fixture(scope="session")
def race(request: pytest.FixtureRequest) -> Race:
    """Everything measured, before the first benchmark reads its samples: only selected tasks and lanes race."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = [test.callspec.params for test in tests if "race" in test.fixturenames]
    found = Race(request.config, {(str(each["task"]), str(each["lane"])) for each in params})
    request.config.stash[RACE] = found
    return found


class Race:
    """The record of this session, measured when first asked for."""

    def __init__(self, config: pytest.Config, chosen: set[tuple[str, str]]) -> None:
        self.config, self.asked = config, session(config)
        self.tasks = [task for task in self.asked.tasks if task.name in {name for name, _ in chosen}]
        selected = {lane for _, lane in chosen} | {
            self.asked.baseline
        }  # -k torch:tuned still needs its yardstick
        self.lanes = [lane for lane in self.asked.lanes if lane in selected]

    @cached_property
    def record(self) -> Any:
        from benchmarks.measure import measure, resume
        from benchmarks.progress import progress

        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled(), progress() as report:
            try:
                if self.asked.resumed:
                    return resume(self.asked.out, progress=report)
                return measure(
                    self.tasks,
                    self.lanes,
                    baseline=self.asked.baseline,
                    effort=self.asked.effort,
                    threads=self.asked.threads,
                    device=self.asked.device,
                    folder=self.asked.out,
                    progress=report,
                    missing=self.asked.missing | self.asked.left_out,
                    phases=self.asked.phases,
                )
            except InputError as error:  # data that cannot be used concern every test alike
                pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))

    @cached_property
    def rows(self) -> dict[tuple[str, str], Any]:
        from benchmarks.measure.summary import summarise

        return {(row.task, row.lane): row for row in summarise(self.record)}

    def barred(self, task: str, lane: str) -> str | None:
        """Why this lane shows no time, or None."""
        row = self.rows[task, lane]
        return f"{row.verdict.word}: {row.verdict.reason}" if row.time is None else None

    def seconds_per_step(self, task: str, lane: str) -> list[float]:
        """The raw samples in the order in which they were measured."""
        from benchmarks.measure.samples import slices

        steps = self.record.work(task).steps
        return [
            piece.elapsed_ns / piece.repeats / steps / 1e9 for _, piece in slices(self.record, task, lane)
        ]

    def facts(self, task: str, lane: str) -> dict[str, Any]:
        """What pytest-benchmark's JSON says beside the samples."""
        row = self.rows[task, lane]
        return {"task": task, "lane": lane, "unit": "seconds per training step", "verdict": row.verdict.word}

    def run_once(self, task: str, lane: str) -> None:
        """Under --benchmark-disable: one untimed epoch in this process, to see that it runs."""
        import backends
        from benchmarks import datasets, parity

        spec = next(each for each in self.asked.tasks if each.name == task)
        backend = backends.load(lane, self.asked.device)
        x, y = datasets.load(spec.dataset).rounded(spec.dtype)
        with backend.precision(spec.dtype):
            state = backend.init(spec, params=parity.start(spec))
            data = backend.put(x), backend.put(y)
            rates = spec.learning_rates(len(x))[0]
            backend.sync(backend.epoch(state, data, spec.order(len(x), 0), spec.batch_size, rates))


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Stable facts only: a result that is handed on does not name its host."""
    machine_info.pop("node", None)


def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """Our record, raw samples included, under one key of pytest-benchmark's JSON."""
    if found := measured(config):
        output_json[KEY] = found.record.model_dump(mode="json")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Before pytest-benchmark saves: its JSON goes to the run's folder, if there is anything to save."""
    saver = session.config.pluginmanager.getplugin(SAVER)
    if (found := measured(session.config)) and saver.benchmarks and not saver.json:
        saver.json = Unfinished(found.asked.out / WHOLE)
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The comparison, here and as Markdown in the run's folder."""
    found = measured(config)
    if not found:
        return
    keep(found.record, found.asked.out, saved=config.pluginmanager.getplugin(SAVER).json)
    from benchmarks.report import tables

    terminalreporter.write_line("")
    terminalreporter.write_line(tables.plain(found.record))
    terminalreporter.write_line(f"results: {found.asked.out}")


class Unfinished(os.PathLike[str]):
    """A file that is opened under another name until it is whole, and called by the name that it will have."""

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f".{path.name}.partial")

    def __fspath__(self) -> str:
        return str(self.partial)

    def __str__(self) -> str:
        return str(self.path)


def measured(config: pytest.Config) -> Race | None:
    """The race, once it has been run."""
    found = config.stash.get(RACE, None)
    return found if found and "record" in vars(found) else None


def keep(record: Any, out: Path, *, saved: Unfinished | str | None) -> None:
    """Leave a finished run's folder with the JSON and the table, each written whole, and no scratch.

    `saved` is where pytest-benchmark wrote its JSON: here, where the user wanted it, or nowhere.
    """
    from benchmarks.record import write_text
    from benchmarks.report import tables

    if isinstance(saved, Unfinished):
        document = json.loads(saved.partial.read_bytes())  # indented it is three times as large
        write_text(saved.path, json.dumps(document, separators=(",", ":")))
        saved.partial.unlink()
    elif saved is None:
        # pytest-benchmark writes nothing when no benchmark ran; the reasons are worth keeping all the same
        write_text(out / WHOLE, json.dumps({"benchmarks": [], KEY: record.model_dump(mode="json")}))
    write_text(out / "table.md", tables.markdown(record))
    if (out / WHOLE).exists():
        shutil.rmtree(out / "relay", ignore_errors=True)  # every piece is in the record
