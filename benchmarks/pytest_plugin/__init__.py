"""The pytest plugin: options, the choice of what is collected, the run before the first test, its folder.

Loaded by `addopts = -p samestep.benchmarks.pytest_plugin`, so that the options parse from anywhere.
pytest-benchmark stays what it is: its tables, saving and comparing work on the replayed samples, and its JSON
holds the record under one versioned key.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from ..console.errors import InputError, cause
from ..console.safe_path import safe_path
from ..console.streams import failure, tolerant_streams
from ..record import KEY
from .replay import Replay

if TYPE_CHECKING:  # the plugin is loaded with every pytest run: nothing heavy before it is needed
    from ..measure import RunRequest

BENCH = Path(__file__).resolve().parents[1] / "bench_training.py"
MODULE = "samestep.benchmarks.bench_training"  # what --pyargs takes
REQUEST = pytest.StashKey["RunRequest"]()
REPLAY = pytest.StashKey[Replay]()
OUTPUT = pytest.StashKey[TextIO]()
TAKEN = {"no_header": "data_no_header"}  # an option that pytest itself has, and its name here
LIBRARY = "pytest_benchmark.plugin"  # the module behind the plugin `benchmark`


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `samestep compare`, from the same declarations."""
    from ..measure.options import declared, typed

    title = "training benchmarks of samestep; write folders and files with =, as in --out=FOLDER"
    group = parser.getgroup("samestep", title)
    for option in declared("pytest"):
        kind: dict[str, Any] = {"default": option.default, "metavar": option.metavar}
        if option.repeats:
            kind |= {"action": "append", "default": []}
        if option.is_flag:
            kind = {"action": "store_true"}
        default = f" Default: {option.default}." if isinstance(option.default, str) else ""
        name = TAKEN.get(option.name, option.name)
        group.addoption(typed(name), dest=name, help=f"{option.help}{default}", **kind)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Load pytest-benchmark where no plugin is loaded by itself (PYTEST_DISABLE_PLUGIN_AUTOLOAD)."""
    manager, library = early_config.pluginmanager, sys.modules.get(LIBRARY)
    if library is None or not manager.is_registered(library):
        manager.import_plugin("benchmark", consider_entry_points=True)  # which `-p no:benchmark` forbids


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """pytest-benchmark's warnings (another machine, nothing saved) are no errors, whatever others are."""
    config.addinivalue_line("filterwarnings", "default::pytest_benchmark.logger.PytestBenchmarkWarning")


@pytest.hookimpl(tryfirst=True)  # before pytest takes standard output for its report
def pytest_configure(config: pytest.Config) -> None:
    """`pytest --benchmark-only` without a path means the benchmarks; bad options end here, before collecting."""
    only = config.getoption("benchmark_only", None)
    if only and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args = [str(BENCH)]
    if any(Path(word.partition("::")[0]).name in (BENCH.name, MODULE) for word in config.args):
        if only is None:
            raise pytest.UsageError(f"{BENCH.name} needs pytest-benchmark: leave out -p no:benchmark")
        requested(config)
        streams = ExitStack()
        streams.enter_context(tolerant_streams())
        config.stash[OUTPUT] = sys.stdout
        config.add_cleanup(streams.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Output that had no room is an error; a pipe whose reader has seen enough is none."""
    result = yield
    output = session.config.stash.get(OUTPUT, None)
    if output and (reason := failure(output)):
        print(f"samestep: standard output: {reason}; what was printed is not complete", file=sys.stderr)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder that pytest-benchmark makes for saved runs in every current folder, where it is empty."""
    storage = getattr(getattr(config, "_benchmarksession", None), "storage", None)
    path = getattr(storage, "path", None)
    if isinstance(path, Path) and path.name == ".benchmarks":
        with suppress(OSError):  # something is saved there, or it is gone
            path.rmdir()


def requested(config: pytest.Config) -> RunRequest:
    """The options resolved, once; bad ones are pytest's usage error."""
    from ..measure.options import Options, declared
    from ..measure.request import resolve

    if REQUEST not in config.stash:
        names = [option.name for option in declared("pytest")]
        values = {name: config.getoption(TAKEN.get(name, name)) for name in names}
        try:
            config.stash[REQUEST] = resolve(Options(**values))
        except InputError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[REQUEST]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each task and lane; what cannot run here is skipped with its reason."""
    if not {"task", "lane", "replay"} <= set(metafunc.fixturenames):
        return
    request = requested(metafunc.config)
    tasks = [task.name for task in request.tasks]
    lanes, absent = (
        (*request.lanes, *request.missing_lanes),
        {**request.left_out_tasks, **request.missing_lanes},
    )
    cells = [
        pytest.param(
            task, lane, marks=_skip(request.unsupported.get((task, lane)), absent.get(task), absent.get(lane))
        )
        for task in (*tasks, *request.left_out_tasks)
        for lane in lanes
    ]
    metafunc.parametrize(("task", "lane"), cells)


def _skip(*reasons: str | None) -> list[pytest.MarkDecorator]:
    """A mark for the first of the reasons that is one."""
    return [pytest.mark.skip(reason=reason) for reason in filter(None, reasons)][:1]


def pytest_collection_finish(session: pytest.Session) -> None:
    """What pytest-benchmark would find wrong only after the whole run ends it before it begins."""
    if session.config.option.collectonly or not selected_pairs(session):
        return
    from .adapter import Saver

    if fault := Saver(session.config).misuse():
        raise pytest.UsageError(fault)


def selected_pairs(session: pytest.Session) -> set[tuple[str, str]]:
    """Task and lane of every benchmark that is selected and not skipped."""
    tests = [item for item in session.items if isinstance(item, pytest.Function)]
    chosen = [test for test in tests if "replay" in test.fixturenames and not test.get_closest_marker("skip")]
    params = [test.callspec.params for test in chosen]
    return {(str(values["task"]), str(values["lane"])) for values in params}


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Measure before the first test, so that whatever limits the time of a test ends no run."""
    config, pairs = session.config, selected_pairs(session)
    if config.option.collectonly or getattr(config.option, "setupplan", False) or not pairs:
        return
    if session.testsfailed and not config.option.continue_on_collection_errors:
        return  # pytest itself ends here
    from .adapter import Saver

    config.stash[REPLAY] = Replay(config, requested(config), pairs)
    if Saver(config).measures:
        config.stash[REPLAY].measure()


@pytest.fixture(scope="session")
def replay(request: pytest.FixtureRequest) -> Replay:
    """The run of the selected tasks and lanes."""
    return request.config.stash[REPLAY]


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_benchmark_generate_machine_info() -> Generator[None, Any, Any]:
    """pytest-benchmark starts a Python for these facts; it imports nothing from the current folder."""
    with safe_path():
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Stable facts only, so that a comparison does not warn of another machine on the same one."""
    from .adapter import stable_facts

    facts = stable_facts(machine_info)
    machine_info.clear()
    machine_info.update(facts)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_benchmark_compare_machine_info(compared_benchmark: dict[str, Any]) -> None:
    """Sweeps of earlier versions have no facts of their machine: that is another machine, and no fault."""
    compared_benchmark.setdefault("machine_info", {})


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """Our record, raw samples included, under one key of pytest-benchmark's JSON."""
    if replay := measured(config):
        output_json[KEY] = replay.record.as_json()


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, Any, Any]:
    """The comparison after pytest-benchmark's own table, here and as Markdown in the run's folder."""
    replay = measured(config)
    if not replay:
        return (yield)
    from .adapter import PerformanceRegression

    try:
        return (yield)
    except PerformanceRegression as error:  # of --benchmark-compare-fail, which has said where
        pytest.exit(str(error), returncode=int(pytest.ExitCode.TESTS_FAILED))
    except OSError as error:  # of a file that pytest-benchmark was to save
        fault = f"{error.filename}: {cause(error)}"
        pytest.exit(fault, returncode=int(pytest.ExitCode.USAGE_ERROR))
    finally:
        show(replay, terminalreporter)


def measured(config: pytest.Config) -> Replay | None:
    """The run, once it has been measured."""
    replay = config.stash.get(REPLAY, None)
    return replay if replay and replay.is_measured else None


def show(replay: Replay, terminal: pytest.TerminalReporter) -> None:
    """Leave the run's folder whole, and print the comparison unless --benchmark-quiet is given."""
    from ..console.terminal import within_limits
    from ..report.tables import record_document
    from ..report.text_table import markdown, plain
    from .adapter import Saver
    from .run_folder import write_run

    saver, document = Saver(replay.config), record_document(replay.analysis)
    try:
        with replay.folder:
            path = write_run(replay.analysis, replay.request.out, markdown(document))
    except InputError as error:
        pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))
    if not saver.is_quiet:
        terminal.write_line("")
        columns = replay.config.get_terminal_writer().fullwidth if terminal.isatty else 0
        terminal.write_line(plain(document, width=within_limits(columns)))
        terminal.write_line(f"record: {path}")
