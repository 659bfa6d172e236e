"""The sweep as a user runs it, on a grid of two by two: real processes, an end by Ctrl-C, a budget of time."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from samestep import backends
from samestep.benchmarks import cli, datasets
from samestep.benchmarks.accuracy.scores import predict
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.row_scaling import row_scaling
from samestep.benchmarks.commands import sweep
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure import grid as grid_of_sizes
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.options import Options
from samestep.benchmarks.parity.workload import initial_parameters
from samestep.benchmarks.record import Record
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.page.setup_tables import reproduce
from samestep.benchmarks.report.sweep_tables import sweep_document
from samestep.benchmarks.report.text_table import markdown, plain
from tests.helpers import records as record_maker
from tests.helpers.grid_records import grid, steady
from tests.helpers.lanes import NEEDS_TORCH
from tests.helpers.processes import InProcess, interrupted
from tests.helpers.sweeps import LANES, small_sweep, sweep_code

CELLS = ("b1-f2", "b1-f8", "b8-f2", "b8-f8")


@pytest.fixture(scope="module", autouse=True)
def cells_once() -> Iterator[None]:
    """Each cell is made once: its learning rate follows from all of its data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid_of_sizes, "cell", cache(grid_of_sizes.cell))
        yield


@pytest.mark.slow
def test_a_sweep_prints_the_map_and_leaves_an_ordinary_record(
    swept: tuple[Path, CompletedProcess[str]],
) -> None:
    folder, done = swept
    assert done.stdout.startswith("FASTEST LANE")
    assert "COST OF A STEP" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "race 300/300" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.json", "table.md"]
    record = load(folder)
    assert record.tasks == CELLS
    assert len(record.blocks) == 3
    assert all(work.task.dtype == "float32" and work.task.epochs == 1 for work in record.plan.works)
    assert {row.verdict.word for row in RecordAnalysis(record).rows}.isdisjoint({"INVALID", "FAILED"})
    for missing in sweep.COMPILED:
        assert missing not in done.stdout  # lanes were named: nothing was left out


@pytest.mark.slow
def test_the_other_commands_work_on_it(
    swept: tuple[Path, CompletedProcess[str]], tmp_path: Path, here: InProcess
) -> None:
    folder, done = swept
    shown = here("table", str(folder))
    assert shown.stdout.startswith(done.stdout[: done.stdout.index("\nrecord:")].rstrip())
    assert all(f"{name}: " in shown.stdout for name in CELLS)
    text = here("table", str(folder), "--format", "csv").stdout
    assert [row["task"] for row in csv.DictReader(io.StringIO(text))][::2] == list(CELLS)
    verified = here("verify", str(folder))
    assert verified.returncode == 0, verified.stdout
    assert "8 entries" in verified.stdout
    assert "1 tables" in verified.stdout
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "table.md").write_text((folder / "table.md").read_text().replace(" us ", " ns ", 1))
    assert here("verify", str(other)).returncode == 1


@pytest.mark.slow
def test_a_sweep_of_rows_shows_times_and_memory_and_can_be_verified(tmp_path: Path, here: InProcess) -> None:
    code = sweep_code(rows=(1_000, 300_000), blocks=2)
    done = small_sweep(*LANES, "--rows", "--out", "run", cwd=tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("TIME PER STEP BY ROWS")
    assert "MEMORY BY ROWS" in done.stdout
    record = load(tmp_path / "run")
    assert [(work.rows, work.steps, work.samples) for work in record.plan.works] == [
        (1_000, 100, 1_000),
        (300_000, 100, 1_000),
    ]
    for lane in row_scaling(RecordAnalysis(record)):
        assert lane.beyond is not None
        assert abs(lane.beyond) < 10  # bytes a row; a second copy of the data would be 36
    assert here("verify", str(tmp_path / "run")).returncode == 0
    effort = record.plan.effort.model_copy(update={"name": "sweep"})
    plan = record.plan.model_copy(update={"effort": effort})
    assert "sweep --rows" in reproduce(record.model_copy(update={"plan": plan}))


@pytest.mark.slow
def test_an_end_by_ctrl_c_and_a_budget_lead_to_the_same_cells(tmp_path: Path) -> None:
    """Interrupted after the first block; then time for one more; then for the rest."""
    sizes, program = ("b1-f2", "b1-f8"), sweep_code(batches=[1], limits=False)
    lane = ("--lane", "numpy", "--baseline", "numpy")
    code, out, err = interrupted([sys.executable, "-c", program, *lane, "--out", "run"], tmp_path)
    assert code == 130, err
    assert (
        "go on with: samestep sweep --resume run; for that 1 MB of scratch stay in run/relay: to give" in err
    )
    assert "Traceback" not in err
    assert out.startswith("COST OF A STEP")
    before = load(tmp_path / "run")
    assert 0 < len(before.blocks) < 3
    again = small_sweep("--resume", "run", "--minutes", "0.001", cwd=tmp_path, code=program)
    assert again.returncode == 0, again.stderr
    more = load(tmp_path / "run")
    assert len(more.blocks) == len(before.blocks) + 1
    if len(more.blocks) < 3:
        assert f"{len(more.blocks)} of 3 blocks fitted into 0.001 minutes" in again.stderr
        assert small_sweep("--resume", "run", cwd=tmp_path, code=program).returncode == 0
    after = load(tmp_path / "run")
    assert after.plan == before.plan
    assert after.blocks[: len(before.blocks)] == before.blocks
    assert not (tmp_path / "run" / "relay").exists()
    raced = {(b.index, s.task, s.lane) for b in after.blocks for s in b.slices if s.kind == "race"}
    assert raced == {(index, task, "numpy") for index in range(3) for task in sizes}


# --- the grid -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_cell_is_small_enough_and_learns() -> None:
    """All sizes; and by a short training that ends below its start the learning rates are stable."""
    cells = grid_of_sizes.grid()
    assert [cell.name for cell in cells] == [
        f"b{b}-f{f}" for b in grid_of_sizes.BATCHES for f in grid_of_sizes.FEATURES
    ]
    backend = backends.load("numpy:tuned", "cpu")
    for cell in cells:
        data = datasets.load(cell.dataset)
        steps = cell.steps(len(data.x))
        assert 4 <= steps <= 100
        assert len(data.x) % cell.batch_size == 0
        assert data.x.size * 4 <= 64 << 20
        x, y = data.rounded(cell.dtype)
        state = backend.init(cell, params=initial_parameters(cell))
        rates = cell.learning_rates(len(x))[0]
        state, losses = backend.epoch(
            state, (backend.put(x), backend.put(y)), cell.row_order(len(x), 0), cell.batch_size, rates
        )
        begun, ended = (
            predict(cell, params, data.x) for params in (initial_parameters(cell), backend.params(state))
        )
        assert np.isfinite(np.concatenate([np.ravel(part) for part in losses])).all()
        assert np.square(ended - data.y).mean() < np.square(begun - data.y).mean(), cell.name


@NEEDS_TORCH
def test_lanes_that_compile_for_every_cell_get_every_second_size() -> None:
    fine, coarse = ({task.name for task in sweep.chosen(Options(), compiled=c).tasks} for c in (False, True))
    assert len(fine) == 25
    assert coarse == {f"b{batch}-f{features}" for batch in (1, 64, 4096) for features in (2, 64, 1024)}
    assert coarse < fine


def test_lanes_that_compile_for_every_cell_are_left_out_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grid_of_sizes, "BATCHES", (1,))
    monkeypatch.setattr(grid_of_sizes, "FEATURES", (2,))
    slow = set(sweep.COMPILED)
    assert slow < set(backends.names())
    usual = sweep.chosen(Options(), compiled=False)
    assert slow.isdisjoint(usual.lanes)
    assert slow <= set(usual.missing_lanes)
    assert "--compiled" in usual.missing_lanes["torch:fused"]
    for request in (
        sweep.chosen(Options(), compiled=True),
        sweep.chosen(Options(lane=["numpy", *slow]), compiled=False),  # with one that can run anywhere
    ):
        assert slow <= {*request.lanes, *request.missing_lanes}
        assert not [why for why in request.missing_lanes.values() if "--compiled" in why]


def test_where_lanes_are_named_no_other_framework_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_of_sizes, "BATCHES", (1,))
    monkeypatch.setattr(grid_of_sizes, "FEATURES", (2,))
    monkeypatch.setattr(sweep, "has_device", lambda lane: pytest.fail(f"{lane} was imported"))
    assert sweep.chosen(Options(lane=["numpy"], baseline="numpy"), compiled=False).lanes == ("numpy",)


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--minutes", "0"], "name a number of minutes above 0"),
        (["--minutes", "nan"], "name a number of minutes above 0"),
        (["--lane", "numpi"], "did you mean 'numpy'?"),
        (["--threads", "two"], "unknown threads 'two'"),
        (["--lane", "numpy", "--baseline", "numpy", "--device", "npu"], "unknown device 'npu'"),
        (["--resume", "nowhere"], "holds no run"),
        (["--task", "lesson"], "No such option"),
        (["--resume", "begun", "--compiled"], "leave out --compiled"),
        (["--resume", "begun", "--rows"], "leave out --rows"),
        (["--resume", "begun", "--lane", "numpy"], "leave out --lane"),
        (["--resume", "begun"], "go on with: samestep compare --resume"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    words: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with made_folder(Path("begun")) as folder:
        folder.begin(record_maker.plan(("numpy",), "numpy", 2, "one"))  # a comparison, not a sweep
    with pytest.raises(SystemExit) as left:
        cli.main(["sweep", *words])
    told = capsys.readouterr()
    assert (left.value.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert line in told.err


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid_of_sizes, "BATCHES", (1,))
    (tmp_path / "file").write_text("")
    words = Options(lane=["numpy"], baseline="numpy", out=str(tmp_path / "file" / "run"))
    with pytest.raises(InputError, match="choose another folder"):
        sweep.sweep(words)


# --- tables ---------------------------------------------------------------------------------------


def made(*lanes: str) -> Record:
    quick = {lane: steady(10.0 + index) for index, lane in enumerate(lanes)}
    return grid({(batch, features): quick for batch in (1, 4096) for features in (2, 8, 64, 256, 1024)})


def test_the_tables_fit_a_terminal_and_name_winner_and_ties() -> None:
    """Five columns of the longest names, with ties."""
    record = grid(
        {
            (batch, features): {
                "torch:compile": steady(10.0),
                "numpy:tuned": steady(10.1),
                "jax": steady(10 + 1e-3 * batch * features),
            }
            for batch in (8, 4096)
            for features in (2, 8, 64, 256, 1024)
        }
    )
    text = plain(sweep_document(RecordAnalysis(record)))
    assert max(map(len, text.splitlines())) <= 100
    assert (text.count("torch:compile +1"), text.count("torch:compile +2")) == (8, 2)
    assert re.search(
        r"b8-f2: torch:compile, not separated from jax 1\.00\d* \[.*\] and numpy:tuned 1\.01\d* \[", text
    )
    assert "1,024 features" in text


def test_a_lane_name_is_data_in_markdown() -> None:
    text = markdown(sweep_document(RecordAnalysis(made("<b>|x|", "numpy"))))
    assert "<b>" not in text
    assert "&lt;b&gt;\\|x\\|" in text


def test_html_holds_the_map_and_the_lines_before_the_tables_of_the_sizes() -> None:
    sizes = {
        (batch, features): {"a": steady(9.0), "b": steady(3.0)} for batch in (1, 8) for features in (2, 64)
    }
    text = tables.render(RecordAnalysis(grid(sizes)), "html")
    wanted = (">Over all sizes<", ">FASTEST LANE<", ">COST OF A STEP<", ">b1-f2: ")
    places = [text.index(words) for words in wanted]
    assert places == sorted(places)
    assert text[places[1] : places[2]].count(">b</td>") == 4


@pytest.mark.slow
def test_a_record_that_is_no_grid_has_no_map(smoke: tuple[Path, object]) -> None:
    analysis = RecordAnalysis(load(smoke[0]))
    for format in tables.FORMATS:
        assert "FASTEST LANE" not in tables.render(analysis, format)
    assert tables.render(analysis, "markdown") == markdown(tables.record_document(analysis))
    with pytest.raises(InputError, match="unknown format"):
        tables.render(RecordAnalysis(made("a", "b")), "yaml")
