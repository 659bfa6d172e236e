"""`samestep experiment NAME`: run one of the acceptance experiments and keep its result."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.choices import pick
from benchmarks.errors import InputError
from benchmarks.experiments import store
from benchmarks.progress import progress

NAMES = ("mutants", "alarms", "slack")


def experiment(name: str, *, cases: int | None = None, out: str | None = None) -> int:
    """Run an experiment, keep its JSON, print where; 1 if it did not show what it should.

    Raises:
        InputError: no such experiment, a bad number of cases, or Hypothesis is missing.
    """
    pick("experiment", name, NAMES)
    if cases is not None and (name != "alarms" or cases < 1):
        raise InputError("--cases is a number above 0, and for `samestep experiment alarms` alone")
    folder = Path(out) if out else store.FOLDER
    result = {"mutants": mutants, "alarms": alarms, "slack": slack}[name](cases, folder)
    print(store.keep(name, result, folder))
    faults = wrong(name, result)
    print("\n".join(faults) if faults else "as it should be")
    return int(bool(faults))


def mutants(cases: int | None, folder: Path) -> dict[str, Any]:
    from benchmarks.experiments import bugs

    return bugs.run()


def alarms(cases: int | None, folder: Path) -> dict[str, Any]:
    """Finished chunks wait in a folder of their own, so that an interrupted run goes on."""
    if find_spec("hypothesis") is None:
        raise InputError("alarms draws its tasks with Hypothesis: pip install 'samestep[dev]'")
    from benchmarks.experiments import alarms

    with progress() as report:
        return alarms.run(
            cases or alarms.CASES,
            Path("results", "local", "alarms"),
            lambda done, total, lane: report("alarms", done, total, lane),
        )


def slack(cases: int | None, folder: Path) -> dict[str, Any]:
    from benchmarks.experiments import slack

    with progress() as report:
        return slack.run(report)


def wrong(name: str, result: dict[str, Any]) -> list[str]:
    """What an experiment should not have shown, a line each."""
    match name:
        case "mutants":
            return [f"not caught: {one['what']}" for one in result["mutants"] if not one["caught"]]
        case "alarms":
            found = ((lane, alarm) for lane, one in result["lanes"].items() for alarm in one["alarms"])
            return [f"{lane}, task {alarm.get('case')}: {alarm.get('reason')}" for lane, alarm in found]
        case _:
            rows = ((task, row) for task, found in result["tasks"].items() for row in found)
            return [
                f"{row['lane']} on {task}: {row['status']}" for task, row in rows if row["status"] != "pass"
            ]
