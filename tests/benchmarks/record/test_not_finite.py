"""Numbers that are not finite: every model of every room reads back what it has written, or refuses them."""

from __future__ import annotations

import ast
import importlib
import json
import math
import pkgutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

import samestep.benchmarks
from samestep.backends.spec import Linear, Loss, Spec, Task
from samestep.benchmarks import cli
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure import BenchmarkRun
from samestep.benchmarks.measure.process import WorkerError, described
from samestep.benchmarks.pytest_plugin.run_folder import holds, write_run
from samestep.benchmarks.record import Calibration, Cold, Record
from samestep.benchmarks.record.files import first_fault, json_text, load, write_text
from samestep.benchmarks.record.machine import Environment
from tests.helpers.paths import ROOT
from tests.helpers.records import record
from tests.helpers.sessions import LIMITS, TASKS, requested

NOT_FINITE = (math.nan, math.inf, -math.inf)
EXAMPLES: dict[Any, Any] = {  # where a model asks for more than types
    Task: {"layers": (Linear(in_features=1, out_features=1),)},
    Loss: {"name": "huber"},
    Environment: dict.fromkeys(("boot", "installed", "source"), "0" * 16),
}


def rooms() -> None:
    """Import every module, so that all models are known; those that need pytest's own options are left out."""
    for module in pkgutil.walk_packages(samestep.benchmarks.__path__, "samestep.benchmarks."):
        if not module.name.endswith("bench_training"):
            importlib.import_module(module.name)


def models(kind: type[Spec] = Spec) -> Iterator[type[Spec]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("samestep."):
            yield below
            yield from models(below)


rooms()
MODELS = sorted(set(models()), key=lambda kind: (kind.__module__, kind.__name__))


def parts(kind: Any) -> tuple[Any, ...]:
    """The types that a type is made of; a model stands for itself."""
    return () if get_origin(kind) is Literal else tuple(part for part in get_args(kind) if part is not ...)


def holds_float(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        return holds_float(parts(kind)[0])
    return kind is float or any(map(holds_float, parts(kind)))


def example(kind: Any, number: float) -> Any:
    """A value of a type; of a union the part that holds a number, if there is one."""
    origin, inner = get_origin(kind), parts(kind)
    if origin is Annotated:
        return example(inner[0], number)
    if origin is Literal:
        return get_args(kind)[0]
    if origin in (Union, types.UnionType):
        return example(next(filter(holds_float, inner), inner[0]), number)
    if origin is dict:
        return {example(inner[0], number): example(inner[1], number)}
    if origin is tuple:
        return tuple(example(part, number) for part in inner)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return instance(kind, number)
    return {float: number, int: 1, str: "1", bool: True, type(None): None}[kind]


def instance(kind: type[BaseModel], number: float, field: str = "") -> BaseModel:
    """A model with what it must have; `field` is given too, and holds the number wherever it holds one."""
    values: dict[str, Any] = dict(EXAMPLES.get(kind, {}))
    for name, info in kind.model_fields.items():
        if kind is Loss and name == field:
            values[name] = {"delta": number}
        elif name == field or (info.is_required() and name not in values):
            values[name] = example(info.rebuild_annotation(), number if name == field else 1.0)
    return kind(**values)


FIELDS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in MODELS
    for name, info in kind.model_fields.items()
    if holds_float(info.rebuild_annotation())
]


def test_the_walk_comes_by_what_a_run_measures() -> None:
    walked = {case.id for case in FIELDS}
    assert {"Audit.distance", "PhaseBreakdown.phases", "Dispatch.seconds", "Accelerator.power"} <= walked
    assert {"Certificate.final", "Untraced.distance", "Interval.high", "LeakyReLU.negative_slope"} <= walked
    assert len(walked) > 100


@pytest.mark.parametrize("number", NOT_FINITE)
@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_number_comes_back_as_what_it_was_or_is_refused(
    kind: type[BaseModel], field: str, number: float
) -> None:
    instance(kind, 1.0, field)  # else what follows would be refused for another reason
    try:
        made = instance(kind, number, field)
    except ValidationError as error:
        line = first_fault(error)
        assert line.startswith((f"{field}: ", f"{field}.", "Value error, huber: option delta"))
        assert any(word in line for word in ("finite", "greater", "above")), line
        assert "\n" not in line
        return
    text = json_text(made)
    json.loads(text, parse_constant=pytest.fail)
    again = kind.model_validate_json(text)
    assert repr(again) == repr(made)
    assert again.model_dump_json() == made.model_dump_json() == text


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


def test_no_line_of_the_code_writes_json_that_is_none() -> None:
    """`json.dumps` writes NaN unless it is told not to; `model_dump(mode="json")` leaves NaN as it is."""
    wrong = []
    for folder in ("backends", "benchmarks", "validation", "docs", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for call in calls(path):
                name = ast.unparse(call.func)
                given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                dumps = name.rpartition(".")[2] in ("dump", "dumps") and given.get("allow_nan") != "False"
                if dumps or (name.endswith("model_dump") and "mode" in given):
                    wrong.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert not wrong


# --- a run ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("without_limits")
def test_a_lane_that_is_not_a_number_costs_no_other_lane_its_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lanes = ("numpy", *(f"validation.trap_lanes:{name}" for name in ("NotANumber", "NotANumberWhenTimed")))
    run = BenchmarkRun.begin(requested(tmp_path, *lanes, tasks=TASKS[:1], phases=True), limits=LIMITS)
    made = run.finish()
    assert any(s.audit and s.audit.reason for block in made.blocks for s in block.slices)
    write_run(RecordAnalysis(made), tmp_path, "")
    assert not run.folder.root.exists()
    (tmp_path / "table.md").unlink()
    assert json_text(load(tmp_path)) == json_text(made)
    page = str(tmp_path / "page.html")
    for words in (
        ["table"],
        ["verify"],
        ["report", "--out", page],
        ["diff", str(tmp_path)],
        ["diff", str(tmp_path), "--json"],
    ):
        with pytest.raises(SystemExit) as left:
            cli.main([words[0], str(tmp_path), *words[1:]])
        assert (left.value.code or 0) == 0, (words, capsys.readouterr())


def finished(folder: Path) -> Record:
    """The pieces of a whole run in its folder."""
    made = record({"jax": [0.5, 0.5]})
    run = BenchmarkRun.begin(requested(folder, "numpy", tasks=TASKS[:1]))
    write_text(run.folder.root / "plan.json", json_text(made.plan))
    for block in made.blocks:
        write_text(run.folder.block_path(block.index), json_text(block))
    return made


def test_what_was_measured_stays_until_the_record_has_been_read_back(tmp_path: Path) -> None:
    made = finished(tmp_path)
    unreadable = made.model_copy(update={"schema_version": 99})
    with pytest.raises(InputError, match="a newer samestep is needed"):
        write_run(RecordAnalysis(unreadable), tmp_path, "")
    assert (tmp_path / "relay" / "blocks" / "001.json").exists()
    write_run(RecordAnalysis(made), tmp_path, "")
    assert not (tmp_path / "relay").exists()


def test_the_record_of_another_run_is_not_taken_for_the_one_that_was_written(tmp_path: Path) -> None:
    other, made = record({"jax": [0.9, 0.9]}), record({"jax": [0.5, 0.5]})
    write_text(tmp_path / "benchmark.json", json_text({"samestep": other}))
    assert holds(tmp_path / "benchmark.json", other)
    assert not holds(tmp_path / "benchmark.json", made)


def test_an_answer_that_no_record_can_hold_is_the_failure_of_its_lane() -> None:
    values = {"task": "lesson", "lane": "numpy", "repeats": 1, "run_ns": 1}
    assert described(Calibration, "calibrate", values).repeats == 1
    for change, reason in (
        ({"repeats": 2**70}, "does not fit into 64 bits"),
        ({"run_ns": 0.5}, "run_ns: Input should be a valid integer"),
        ({"run_ns": math.nan}, "run_ns: Input should be a valid integer"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ):
        with pytest.raises(WorkerError, match=reason) as error:
            described(Calibration, "calibrate", values | change)
        assert error.value.alive
    cold = {"task": "lesson", "lane": "numpy", "repeat": 0, "import_s": 1.0, "first_call_s": math.inf}
    with pytest.raises(WorkerError, match="first_call_s: Input should be a valid number"):
        described(Cold, "first", cold | {"peak_memory": 1, "beside": 0})
