"""The state of GPUs, read from a real program on PATH that answers as nvidia-smi does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from samestep.benchmarks.analysis.throttling import throttled
from samestep.benchmarks.measure import accelerator
from samestep.benchmarks.measure.accelerator import read
from samestep.benchmarks.record.machine import Accelerator

NEW, OLD = "clocks_event_reasons.active", "clocks_throttle_reasons.active"
IDLE = "0, NVIDIA H100 80GB HBM3, 550.54.15, 345 MHz, 1980 MHz, 31, 69.42 W, 81559 MiB, 0x0000000000000001"
BUSY = "0, NVIDIA H100 80GB HBM3, 550.54.15, 1155 MHz, 1980 MHz, 84, 699.8 W, 81559 MiB, 0x0000000000000044"
SECOND = (
    "1, NVIDIA H100 80GB HBM3, 550.54.15, 1980 MHz, 1980 MHz, 40, 120.00 W, 81559 MiB, 0x0000000000000000"
)
BARE = "0, NVIDIA GeForce GT 710, 470.1, [N/A], [Not Supported], 45, [N/A], 2002 MiB, [Not Supported]"

# It knows its fields by the names of its time, and says so on its standard output as the real one does.
STAND_IN = """#!{python}
import sys
query, format = sys.argv[1:]
fields = query.removeprefix("--query-gpu=").split(",")
assert format == "--format=csv,noheader", format
for field in fields:
    if field not in {known!r}:
        print(f'Field "{{field}}" is not a valid field to query.')
        sys.exit(2)
print({answer!r})
sys.exit({code})
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program under the name nvidia-smi in the place of PATH."""

    def put(*rows: str, limits: str = NEW, code: int = 0) -> None:
        known = [*accelerator.FIELDS, limits]
        text = STAND_IN.format(python=sys.executable, known=known, answer="\n".join(rows), code=code)
        (tmp_path / "nvidia-smi").write_text(text)
        (tmp_path / "nvidia-smi").chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return put


def test_units_become_those_of_the_record(install: Install) -> None:
    install(IDLE, SECOND)
    first, second = read()
    assert first == Accelerator(
        index=0,
        name="NVIDIA H100 80GB HBM3",
        driver="550.54.15",
        clock=345.0,
        highest_clock=1980.0,
        limits=("idle",),
        temperature=31.0,
        power=69.42,
        memory=81559 * 2**20,
    )
    assert (second.index, second.limits) == (1, ())
    assert Accelerator.model_validate_json(first.model_dump_json()) == first


def test_older_drivers_know_the_limits_by_their_old_name(install: Install) -> None:
    install(IDLE, limits=OLD)
    assert read()[0].limits == ("idle",)


def test_what_a_gpu_does_not_tell_is_none(install: Install) -> None:
    install(BARE)
    (gpu,) = read()
    assert (gpu.clock, gpu.highest_clock, gpu.power, gpu.limits) == (None, None, None, None)
    assert (gpu.temperature, gpu.memory) == (45.0, 2002 * 2**20)
    assert gpu.throttles == ()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("345 MHz", "0.345 GHz", "clock"),
        ("69.42 W", "69420 mW", "power"),
        ("81559 MiB", "81559 pages", "memory"),
    ],
)
def test_a_number_in_another_unit_is_not_taken(old: str, new: str, field: str, install: Install) -> None:
    install(IDLE.replace(old, new))
    assert getattr(read()[0], field) is None


@pytest.mark.parametrize(
    "answer",
    [
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "No devices were found",
        "",
        "0, a, b",
    ],
)
@pytest.mark.parametrize("code", [0, 9])
def test_no_answer_is_no_gpu(answer: str, code: int, install: Install) -> None:
    install(answer, code=code)
    assert read() == ()


def test_no_tool_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read() == ()
    (tmp_path / "nvidia-smi").write_text("no program\n")  # and one that cannot be run
    assert read() == ()


def test_a_tool_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accelerator, "LIMIT_S", 0.2)
    assert read() == ()


def test_heat_and_power_are_throttling_and_choices_are_not(install: Install) -> None:
    install(IDLE)
    before = read()
    install(BUSY, SECOND)
    after = read()
    assert throttled(before, before) is None
    said = throttled(before, after)
    assert said == (
        "GPU 0 slowed itself down (power cap, hardware thermal slowdown): 1155 of 1980 MHz, 84 C, 699.8 W"
    )
    assert throttled(after, before) == said  # at either end
    for bits in ("0x0000000000000002", "0x0000000000000010", "0x0000000000000100"):
        install(BUSY.replace("0x0000000000000044", bits))
        assert throttled(before, read()) is None


def test_throttling_without_other_facts_is_said_too(install: Install) -> None:
    install(BARE.replace(", 45,", ", [N/A],").replace("MiB, [Not Supported]", "MiB, 0x00000000000000A8"))
    assert (
        throttled((), read())
        == "GPU 0 slowed itself down (hardware slowdown, software thermal slowdown, power brake)"
    )


def test_a_bit_that_nobody_knows_stays_a_number(install: Install) -> None:
    install(SECOND.replace("0x0000000000000000", "0x0000000000000400"))
    assert read()[0].limits == ("0x400",)
    assert throttled((), read()) is not None
