"""`diff` on records whose ratios are known: what changed, what did not, and what cannot be compared."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.analysis.diff import RecordDiff, diff
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.measure.efforts import UNTIL
from samestep.benchmarks.record import Failure, Record
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report.diff_tables import plain
from samestep.benchmarks.statistics.inference import ALPHA, MARGIN, RESOLUTION, Sample
from tests.helpers.paths import DATA
from tests.helpers.processes import samestep
from tests.helpers.records import record

RNG = np.random.default_rng(11)
LOGS = st.lists(st.floats(-2, 2), min_size=2, max_size=12)


def around(ratio: float, spread: float = 0.002, blocks: int = 12) -> list[float]:
    return [ratio * math.exp(step) for step in RNG.normal(0, spread, blocks)]


def words(found: RecordDiff) -> dict[str, str]:
    return {change.lane: change.word for change in found.changes}


def test_a_change_beyond_the_margin_is_found_and_one_within_is_the_same() -> None:
    a = record(
        {"jax": around(0.5), "numpy": around(0.2), "jax:tuned": around(0.1), "torch:tuned": around(0.4)}
    )
    b = record(
        {"jax": around(0.55), "numpy": around(0.201), "jax:tuned": around(0.09), "torch:tuned": around(0.408)}
    )
    found = diff(a, b)
    assert words(found) == {
        "jax": "changed",
        "numpy": "same",
        "jax:tuned": "changed",
        "torch:tuned": "undecided",
    }
    (change,) = (each.change for each in found.changes if each.lane == "jax")
    assert change is not None
    assert change.low < 1.1 < change.high
    assert change.high - change.low < 0.01


@pytest.mark.slow
@given(LOGS, LOGS)
def test_the_interval_is_welchs_as_scipy_has_it(one: list[float], two: list[float]) -> None:
    a, b = Sample.of(one), Sample.of(two)
    if min(a.error, b.error) <= 2 * RESOLUTION:  # SciPy has no floor for exact ties
        return
    ends = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    assert a.less(b).ends(0.95) == pytest.approx((ends.low, ends.high), rel=1e-6, abs=1e-9)


def looked_at(made: Record) -> Record:
    """The same blocks as those of a run with looks that ended there."""
    return made.model_copy(update={"plan": made.plan.model_copy(update={"effort": UNTIL["decided"]})})


def test_of_runs_with_looks_a_change_is_tested_at_the_level_of_both() -> None:
    a, b = record({"jax": around(0.5)}), record({"jax": around(0.52)})
    (whole,), (one,), (both,) = (
        diff(*pair).changes for pair in ((a, b), (looked_at(a), b), (looked_at(a), looked_at(b)))
    )
    look, change = RecordAnalysis(looked_at(a)).look, Sample.of(logs(b)).less(Sample.of(logs(a)))
    for found, level in (
        (whole, ALPHA),
        (one, look.level(ALPHA)),
        (both, look.level(look.level(ALPHA))),
    ):
        assert found.change is not None
        ends = change.ends(1 - level)
        assert (found.change.low, found.change.high) == pytest.approx(tuple(map(math.exp, ends)))
        assert found.p is not None
    assert whole.p < one.p < both.p  # type: ignore[operator]
    # p is the least level over all pairs of looks at which this pair rejects
    assert look.level(look.level(both.p)) == pytest.approx(whole.p, rel=1e-4)  # type: ignore[arg-type]


def logs(made: Record) -> list[float]:
    return RecordAnalysis(made)["lesson", "jax"].block_ratios


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.01, 50), min_size=4, max_size=6))
def test_a_record_and_itself_never_differ(ratios: list[float]) -> None:
    one = record({"jax": ratios, "numpy": ratios[::-1]})
    found = diff(one, one)
    assert "changed" not in words(found).values()
    assert found.environment == found.only_a == found.only_b == ()
    for each in found.changes:  # a record that drifts is UNSTABLE, and then there is nothing to compare
        assert (each.word == "not compared") == (each.a.verdict == "UNSTABLE")
        assert each.change is None or each.change.value == 1


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(0.5, 0.52), min_size=4, max_size=6),
    st.lists(st.floats(0.5, 0.6), min_size=4, max_size=6),
)
def test_b_against_a_mirrors_a_against_b(first: list[float], second: list[float]) -> None:
    one, two = record({"jax": first}), record({"jax": second})
    (there,), (back,) = diff(one, two).changes, diff(two, one).changes
    assert there.word == back.word
    if there.change is None or back.change is None:  # one of them drifts, which is UNSTABLE
        assert "UNSTABLE" in (there.a.verdict, there.b.verdict)
        return
    assert there.p == pytest.approx(back.p)
    assert (there.change.value, there.change.low) == pytest.approx(
        (1 / back.change.value, 1 / back.change.high)
    )


@pytest.mark.slow
def test_lanes_that_did_not_change_are_rarely_called_changed() -> None:
    """Families of three lanes that changed by just less than the margin, where the level binds: at most 5%."""
    wrong, families = 0, 300
    for _ in range(families):
        lanes = [f"jax:{index}" for index in range(3)]
        one, two = (
            record({lane: around(ratio, 0.02, 6) for lane in lanes}, rounds=1) for ratio in (0.5, 0.51)
        )
        wrong += "changed" in words(diff(one, two)).values()
    # a change has half the level: two sides could be claimed; three standard errors of such a count
    assert 0 < wrong / families <= ALPHA / 2 + 3 * math.sqrt(0.025 * 0.975 / families)


def test_holm_counts_every_lane_of_both_records() -> None:
    """The same two lanes alone and among ten: p grows with the family."""
    few, many = ({f"jax:{i}": [0.5, 0.505, 0.51, 0.507] for i in range(n)} for n in (1, 10))
    other = {lane: [0.52, 0.526, 0.523, 0.529] for lane in many}
    alone = diff(record(few), record({"jax:0": other["jax:0"]})).changes[0]
    among = diff(record(many), record(other)).changes[0]
    assert alone.p is not None
    assert among.p == pytest.approx(min(1.0, 10 * alone.p))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"status": {"jax": "fail"}}, "INVALID in B: parity: it says fail"),
        (
            {"failures": [Failure(task="lesson", lane="jax", phase="race", reason="killed")]},
            "FAILED in B: race: killed",
        ),
        ({"twin": lambda block: 1.2}, "UNSTABLE in B: twin"),
        ({"status": {"torch": "fail"}}, "the baseline torch has no times"),
    ],
)
def test_a_lane_without_a_sound_time_is_not_compared_and_says_why(fields: Any, why: str) -> None:
    a = record({"jax": around(0.5), "numpy": around(0.2)})
    found = diff(a, record({"jax": around(0.6), "numpy": around(0.2)}, **fields))
    (change,) = (each for each in found.changes if each.lane == "jax")
    assert change.word in ("not compared", "undecided")
    assert why in change.reason
    assert change.change is None
    assert why in " ".join(plain(found, a, a).split())


def test_one_block_is_not_compared() -> None:
    found = diff(record({"jax": [0.5]}), record({"jax": [0.6, 0.61]}))
    assert words(found) == {"jax": "not compared"}
    assert "a test needs 4" in found.changes[0].reason


def test_other_baselines_are_refused_unless_one_is_named() -> None:
    a = record({"jax": around(0.5), "numpy": around(0.2)})
    b = record({"jax": around(0.5), "torch": around(2.0)}, baseline="numpy")
    with pytest.raises(InputError, match="torch in A, numpy in B") as caught:
        diff(a, b)
    assert "--baseline" in str(caught.value)
    found = diff(a, b, baseline="torch")
    assert found.exploratory
    assert "Exploratory" in plain(found, a, b)
    assert not diff(a, a, baseline="torch").exploratory
    assert diff(a, a, baseline="numpy").exploratory
    with pytest.raises(InputError, match="no lane 'mlx'"):
        diff(a, b, baseline="mlx")


def edited(one: Record, place: str, **change: Any) -> Record:
    """The record with some fields of its plan, of the plan's environment, or of its first work changed."""
    plan = one.plan
    if place == "environment":
        change = {"environment": plan.environment.model_copy(update=change)}
    if place == "work":
        change = {"works": (plan.works[0].model_copy(update=change), *plan.works[1:])}
    return one.model_copy(update={"plan": plan.model_copy(update=change)})


def test_what_differs_of_the_environments_is_said() -> None:
    a = record({"jax": around(0.5)})
    packages = a.plan.environment.packages | {"numpy": "1.0"}
    b = edited(
        a, "environment", cpu="another", boot="b", source="s", packages=packages, settings={"JAX_X": "1"}
    )
    b = edited(b, "plan", threads="all", device="cuda")
    found = diff(a, b)
    seen = {each.what: (each.a, each.b) for each in found.environment}
    assert seen.keys() >= {"cpu", "boot", "source", "packages numpy", "settings JAX_X", "threads", "device"}
    assert seen["packages numpy"][1] == "1.0"
    assert seen["settings JAX_X"] == (None, "1")
    text = plain(found, a, b)
    assert "another" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_gpus_are_part_of_the_environment() -> None:
    from samestep.benchmarks.record.machine import Accelerator

    unknown = dict.fromkeys(("clock", "highest_clock", "limits", "temperature", "power", "memory"))
    gpu = Accelerator(index=0, name="one", driver="5", **unknown)
    a = record({"jax": around(0.5)})
    b = a.model_copy(update={"blocks": tuple(x.model_copy(update={"gpus_before": (gpu,)}) for x in a.blocks)})
    (found,) = diff(a, b).environment
    assert (found.what, found.a, found.b) == ("GPUs", None, "one, driver 5")


def test_other_work_is_not_compared() -> None:
    a = record({"jax": around(0.5)})
    other = a.plan.works[0].task.model_copy(update={"batch_size": 20})
    for change, why in (({"data": "other"}, "the data differ"), ({"task": other}, "the task differs")):
        found = diff(a, edited(a, "work", **change))
        assert found.changes == ()
        assert why in found.other_work["lesson"]
        assert why in plain(found, a, a)


def test_the_same_rows_from_a_file_elsewhere_are_the_same_work() -> None:
    from samestep.backends.spec import File

    a = record({"jax": around(0.5)})
    one, two = (
        edited(a, "work", task=a.plan.works[0].task.model_copy(update={"dataset": File(path=p, target="y")}))
        for p in ("here.csv", "/there/it.csv")
    )
    assert len(diff(one, two).changes) == 1


def test_lanes_of_one_record_alone_are_named() -> None:
    found = diff(record({"jax": around(0.5)}), record({"numpy": around(0.2)}))
    assert (found.only_a, found.only_b) == (("lane jax",), ("lane numpy",))
    assert found.changes == ()


def test_a_verdict_that_changed_is_said() -> None:
    a, b = record({"jax": around(0.5)}), record({"jax": around(1.5)})
    assert "jax: FASTER in A, SLOWER in B" in plain(diff(a, b), a, b)
    assert "the baseline torch: 100.0" in plain(diff(a, b), a, b)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    a, b = record({"jax": around(0.5)}), record({"jax": around(0.6)})
    for name, each in (("a.json", a), ("b.json", b)):
        (tmp_path / name).write_text(json.dumps({"samestep": json.loads(each.model_dump_json())}))
    done = samestep("diff", "a.json", "b.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "changed" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    data = samestep("diff", "a.json", "b.json", "--json", cwd=tmp_path)
    assert RecordDiff.model_validate_json(data.stdout) == diff(load(tmp_path / "a.json"), b)


def test_records_of_two_versions_were_not_timed_alike() -> None:
    former, latest = (load(DATA / f"record-{version}.json") for version in (1, 2))
    both = diff(former, latest)
    said = "times were taken in another way: A is a record of version 1, B of version 2"
    assert both.other_timing.startswith(said)
    assert ("version of the record", "1", "2") in [(each.what, each.a, each.b) for each in both.environment]
    assert said in " ".join(plain(both, former, latest).split())
    back = diff(latest, former).other_timing
    assert "A is a record of version 2, B of version 1" in back
    same = diff(latest, latest)
    assert same.other_timing == ""
    assert "another way" not in plain(same, latest, latest)


def test_the_margin_is_the_verdicts() -> None:
    """Beyond and within 2% with no noise at all."""
    a = record({"jax": [0.5] * 4})
    for factor, word in ((math.exp(MARGIN) * 1.001, "changed"), (math.exp(MARGIN) * 0.999, "same")):
        assert words(diff(a, record({"jax": [0.5 * factor] * 4}))) == {"jax": word}
