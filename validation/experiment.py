"""`python -m validation NAME`: run one of the acceptance experiments and keep its result."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from samestep.benchmarks.console.choices import pick
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.console.progress import progress
from validation import goals, store

COUNTED = ("alarms", "traps")  # --cases
TIMED = ("aa", "power")  # --minutes
NAMES = ("mutants", "alarms", "slack", "aa", "power", "traps")


def experiment(
    name: str, *, cases: int | None = None, minutes: float | None = None, out: str | None = None
) -> int:
    """Run an experiment, keep its JSON, print where; 1 if it did not show what it should.

    Raises:
        InputError: no such experiment, a bad number of cases or minutes, or a package is missing.
    """
    pick("experiment", name, NAMES)
    if cases is not None and (name not in COUNTED or cases < 1):
        raise InputError(f"--cases is a number above 0, and for {' and '.join(COUNTED)} alone")
    if minutes is not None and (name not in TIMED or not 0 <= minutes < 1e6):
        raise InputError(f"--minutes is a number from 0 on, and for {' and '.join(TIMED)} alone")
    folder = Path(out) if out else store.folder(name)
    run = {"mutants": mutants, "alarms": alarms, "slack": slack, "traps": traps}
    result = raced(name, minutes, folder) if name in TIMED else run[name](cases)
    print(store.keep(name, result, folder))
    faults = wrong(name, result)
    print("\n".join(faults) if faults else "as it should be")
    return int(bool(faults))


def mutants(cases: int | None) -> dict[str, Any]:
    from validation.mutants import experiment

    return experiment.run()


def alarms(cases: int | None) -> dict[str, Any]:
    """Finished chunks wait in a folder of their own, so that an interrupted run goes on."""
    if find_spec("hypothesis") is None:
        raise InputError("alarms draws its tasks with Hypothesis: pip install 'samestep[dev]'")
    from validation import alarms

    with progress() as report:
        return alarms.run(
            cases or alarms.CASES,
            Path("results", "local", "alarms"),
            lambda done, total, lane: report("alarms", done, total, lane),
        )


def slack(cases: int | None) -> dict[str, Any]:
    from validation import slack

    with progress() as report:
        return slack.run(report)


def traps(cases: int | None) -> dict[str, Any]:
    from validation import traps

    with progress() as report:
        return traps.run(cases or traps.REPEATS, report)


def raced(name: str, minutes: float | None, folder: Path) -> dict[str, Any]:
    """A/A or power: race for so long, keep the raw data, and take the figures from what was kept."""
    for package, extra in (("torch", "all"), ("jax", "all"), ("polars", "data")):
        if find_spec(package) is None:
            raise InputError(f"{name} needs {package}: pip install 'samestep[{extra}]'")
    from validation import aa, packed, power

    chosen: Any = aa if name == "aa" else power
    with progress() as report:
        records = chosen.measured(chosen.MINUTES if minutes is None else minutes, report)
    if not records:
        raise InputError("nothing was measured in that time: give it more --minutes")
    shutil.rmtree(folder / name, ignore_errors=True)  # frameworks of another run do not belong to this result
    for framework, record in records.items():
        packed.write(record, folder / name / framework)
    found: dict[str, Any] = chosen.result(folder)
    return found


def wrong(name: str, result: dict[str, Any]) -> list[str]:
    """What an experiment should not have shown, a line each."""
    match name:
        case "mutants":
            from validation.mutants import experiment

            return experiment.faults(result)
        case "alarms":
            found = ((lane, alarm) for lane, one in result["lanes"].items() for alarm in one["alarms"])
            return [f"{lane}, task {alarm.get('case')}: {alarm.get('reason')}" for lane, alarm in found]
        case "traps":
            missed = [one for one in result["traps"] if one["right"] < one["sessions"]]
            said = [f"not caught with its cause: {one['trap']}: {one['reason']}" for one in missed]
            return [*said, *result["correct"]["flagged"]]
        case "aa" | "power":
            unmet = (goal for goal in goals.of(name, result["rows"]) if not goal.met)
            return [f"not met: {goal.text}: {goal.reached}" for goal in unmet]
        case _:
            rows = ((task, row) for task, found in result["tasks"].items() for row in found)
            return [
                f"{row['lane']} on {task}: {row['status']}" for task, row in rows if row["status"] != "pass"
            ]
