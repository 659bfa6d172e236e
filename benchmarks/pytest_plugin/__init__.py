"""The pytest plugin: options, the choice of what is collected, the relay before the first benchmark, the record.

Loaded by `addopts = -p samestep.benchmarks.pytest_plugin`, so that the options parse from anywhere.
pytest-benchmark stays what it is: its JSON is the record, with everything of ours under one versioned key, and
its own tables, saving and comparing work on the replayed samples.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ..console.errors import InputError
from ..record import KEY, WHOLE
from .replay import Race

BENCH = Path(__file__).resolve().parents[1] / "bench_training.py"
MODULE = "samestep.benchmarks.bench_training"  # what --pyargs takes
SAVER = "pytest-benchmark"  # the name of its session among the plugins
SESSION = pytest.StashKey[Any]()
RACE = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `samestep compare`, under the same names."""
    words = "training benchmarks of samestep; write folders and files with =, as in --out=FOLDER"
    group = parser.getgroup("samestep", words)
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
    group.addoption(
        "--device", default="cpu", help="cpu, cuda (the second: cuda:1), mps or tpu (default: cpu)"
    )
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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """pytest-benchmark's warnings (another machine, nothing saved) are no errors, whatever others are."""
    config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


def pytest_configure(config: pytest.Config) -> None:
    """`pytest --benchmark-only` without a path means the benchmarks; bad options end here, before collecting."""
    only = config.getoption("benchmark_only", None)
    if only and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args = [str(BENCH)]
    if any(Path(word.partition("::")[0]).name in (BENCH.name, MODULE) for word in config.args):
        if only is None:
            raise pytest.UsageError(f"{BENCH.name} needs pytest-benchmark: leave out -p no:benchmark")
        session(config)


def session(config: pytest.Config) -> Any:
    """The options resolved, once; bad ones are pytest's usage error."""
    from ..measure.options import Options, resolve

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


def pytest_collection_finish(session: pytest.Session) -> None:
    """What pytest-benchmark would find wrong only after the whole race ends the run before it."""
    config = session.config
    racing = any("race" in getattr(item, "fixturenames", ()) for item in session.items)
    saver = config.pluginmanager.getplugin(SAVER)
    if not racing or config.option.collectonly or saver.disabled or saver.skip:
        return
    if fault := misused(saver):
        raise pytest.UsageError(fault)


def misused(saver: Any) -> str | None:
    """Which of pytest-benchmark's options cannot end well, in one line."""
    if saver.compare_fail and not saver.compared_mapping:
        return "--benchmark-compare-fail needs --benchmark-compare, and a saved run in --benchmark-storage"
    if saver.cprofile_sort_by:
        return "--benchmark-cprofile: lanes run in processes of their own; --phases says where time goes"
    if saver.json and not Path(saver.json).absolute().parent.is_dir():
        return f"--benchmark-json {saver.json}: there is no folder {saver.json.parent}; make it first"
    return None


@pytest.fixture(scope="session")
def race(request: pytest.FixtureRequest) -> Race:
    """Everything measured, before the first benchmark reads its samples: only selected tasks and lanes race."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = [test.callspec.params for test in tests if "race" in test.fixturenames]
    chosen = {(str(each["task"]), str(each["lane"])) for each in params}
    found = request.config.stash[RACE] = Race(request.config, session(request.config), chosen)
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Stable facts only: no name of a host, and no momentary clock that would differ in every comparison."""
    machine_info.pop("node", None)
    cpu = machine_info.get("cpu", {})
    machine_info["cpu"] = {name: value for name, value in cpu.items() if not name.startswith("hz_")}


@pytest.hookimpl(optionalhook=True)
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


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, Any, Any]:
    """The comparison after pytest-benchmark's own table, here and as Markdown in the run's folder."""
    found = measured(config)
    if not found:
        return (yield)
    from pytest_benchmark.session import PerformanceRegression

    try:
        return (yield)
    except PerformanceRegression as error:  # of --benchmark-compare-fail, which has said where
        pytest.exit(str(error), returncode=int(pytest.ExitCode.TESTS_FAILED))
    finally:
        show(found, terminalreporter)


def show(found: Race, terminal: pytest.TerminalReporter) -> None:
    """Leave the run's folder whole, and print the comparison unless --benchmark-quiet is given."""
    from ..report import tables

    saver = found.config.pluginmanager.getplugin(SAVER)
    keep(found.record, found.asked.out, saved=saver.json if saver.benchmarks else None)
    if not saver.quiet:
        terminal.write_line("")
        terminal.write_line(tables.plain(found.record))
        terminal.write_line(f"results: {found.asked.out}")


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
    from ..record.files import write_text
    from ..report import tables

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
