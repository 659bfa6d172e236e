"""The tables in docs/parity.md, from results/parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docs.generate.fill import filled, rows, versions
from validation import store

ORIGINS = {
    "foreseen": "written with the doctor in mind",
    "first": "\\* written without knowledge of it",
    "second": "\\*\\* written without knowledge of it, after it was finished",
}


def updated(text: str, root: Path) -> str:
    """The page's text with its tables between their markers; `root` is the checkout's."""
    found = {name: store.read(name, root / store.FOLDER) for name in ("mutants", "alarms", "slack")}
    tables = {
        "versions": versions(found),
        "score": score(found["mutants"]["mutants"]),
        "mutants": mutants(found["mutants"]["mutants"]),
        "alarms": alarms(found["alarms"]["lanes"]),
        "slack": slack(found["slack"]["tasks"]),
    }
    return filled(text, tables)


def score(found: list[dict[str, Any]]) -> str:
    """Caught and named, of those that the doctor was written for and of the others."""
    body = []
    for origin, words in ORIGINS.items():
        own = [one for one in found if one["origin"] == origin]
        caught, right = (sum(bool(one[key]) for one in own) for key in ("caught", "right"))
        body.append((words, str(len(own)), share(caught, len(own)), share(right, len(own))))
    return rows(("mutants", "number", "caught by the certificate", "named rightly by the doctor"), body)


def share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "0"


def mutants(found: list[dict[str, Any]]) -> str:
    body = []
    for one in found:
        where = f"step {one['step']}, {one['dtype']}" if one["step"] else one["dtype"]
        named = one["named"] or "nothing"
        verdict = named if one["right"] else f"**{named}**, not {one['cause']}"
        lane = one["framework"] + {"foreseen": "", "first": " \\*", "second": " \\*\\*"}[one["origin"]]
        body.append(
            (one["what"], lane, where if one["caught"] else "**not caught**", verdict, one["sentence"])
        )
    return rows(("mistake", "in", "caught at", "doctor's word", "doctor's sentence"), body)


def alarms(found: dict[str, dict[str, Any]]) -> str:
    body = [
        (
            lane,
            str(one["tasks"]),
            f"{one['steps']:,}",
            str(one["passed"]),
            str(one["diverged"]),
            str(len(one["alarms"])),
            f"{one['largest_share']:.0%}",
        )
        for lane, one in found.items()
    ]
    return rows(("lane", "tasks", "steps judged", "passed", "diverged", "alarms", "largest share used"), body)


def slack(found: dict[str, list[dict[str, Any]]]) -> str:
    """By task and dtype the lane that came nearest to its bound."""
    body = []
    for task, lanes in found.items():
        for dtype in ("float64", "float32"):
            own = [(one["lane"], one[dtype]) for one in lanes if dtype in one]
            lane, most = max(own, key=lambda pair: float(pair[1]["share"]))
            least = min(float(one["share"]) for _, one in own)
            used = f"{least:.1%} to {most['share']:.1%}"
            likely = max(float(one["likely"]) for _, one in own)
            at = f"{lane}, step {most['step']} of {most['steps']}"
            body.append((task, dtype, used, f"{most['slack']:.3g}", f"{likely:.0%}", at))
    head = (
        "task",
        "dtype",
        "share of the bound used, by lane",
        "slack",
        "share of the likely bound",
        "most at",
    )
    return rows(head, body)
