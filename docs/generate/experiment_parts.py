"""What comes from the suite tried on itself: results/parity and results/trust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.generate.markdown import count_of, table
from validation import goals, packed, store

Json = dict[str, Any]
SAMPLES = "aa", "aa-former", "power"  # of which the trust page tells
ORIGINS = {
    "foreseen": ("", "written with the doctor in mind"),
    "first": (" \\*", "\\* written without knowledge of it"),
    "second": (" \\*\\*", "\\*\\* written without knowledge of it, after it was finished"),
    "third": (" \\*\\*\\*", "\\*\\*\\* ports, written without knowledge of it, after it was rebuilt"),
}


def parity(root: Path) -> dict[str, str]:
    """The parts of parity.md; `root` is the checkout's."""
    results = {name: store.read(name, root) for name in ("mutants", "alarms", "slack", "float32")}
    return {
        "versions": versions(results),
        "score": score(results["mutants"]["mutants"]),
        "mutants": mutants(results["mutants"]["mutants"]),
        "alarms": alarms(results["alarms"]["lanes"]),
        "slack": slack(results["slack"]["tasks"]),
        "float32": float32(results["float32"]["programs"]),
    }


def trust(root: Path) -> dict[str, str]:
    """The parts of trust.md; `root` is the checkout's."""
    results = {name: store.read(name, root) for name in ("aa", "permuted", "power", "traps")}
    aa, power = results["aa"]["rows"], results["power"]["rows"]
    rows = results["permuted"]["rows"]
    reached = [*goals.aa(aa), *goals.permuted(rows), *goals.power(power), *goals.traps(results["traps"])]
    body = [
        (goal.text, goal.reached, "met" if goal.word == "met" else f"**{goal.word}**") for goal in reached
    ]
    return {
        "versions": versions(results),
        "machine": machines({name: packed.origin(root / store.TRUST / name) for name in SAMPLES}),
        "goals": table(("goal", "reached", ""), body),
        "aa": identical(aa),
        "readings": readings(aa),
        "permuted": permuted_copies(rows),
        "power": more_work(power),
        "traps": traps(results["traps"]["traps"]),
    }


def versions(results: Mapping[str, Json]) -> str:
    """The command of each experiment with the versions that it ran on."""
    lines = []
    for name, result in results.items():
        packages = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
        lines.append(f"- `python -m validation {name}`: {packages}")
    return "\n".join(lines)


# --- parity ---------------------------------------------------------------------------------------------------


def score(mutants: Sequence[Json]) -> str:
    """Caught and named, of the mutants that the doctor was written for and of the others."""
    keys = ("caught", "right", "caught_without_gradients", "right_without_gradients")
    body = []
    for origin, (_, meaning) in ORIGINS.items():
        group = [mutant for mutant in mutants if mutant["origin"] == origin]
        counts = [sum(bool(mutant[key]) for mutant in group) for key in keys]
        body.append((meaning, str(len(group)), *(count_of(count, len(group)) for count in counts)))
    head = ("caught by the certificate", "named rightly by the doctor", "caught without gradients")
    return table(("mutants", "number", *head, "named rightly without them"), body)


def mutants(mutants: Sequence[Json]) -> str:
    """A row for every seeded bug: where it was caught, and what the doctor said."""
    body = []
    for mutant in mutants:
        where = f"step {mutant['step']}, {mutant['dtype']}" if mutant["step"] else mutant["dtype"]
        named = mutant["named"] or "nothing"
        answer = named if mutant["right"] else f"**{named}**, not {mutant['cause']}"
        framework = mutant["framework"] + ORIGINS[mutant["origin"]][0]
        caught = where if mutant["caught"] else "**not caught**"
        body.append((mutant["what"], framework, caught, answer, mutant["sentence"]))
    return table(("mistake", "in", "caught at", "doctor's word", "doctor's sentence"), body)


def alarms(lanes: Mapping[str, Json]) -> str:
    """A row for every lane: how many random correct tasks passed, and how many alarms there were."""
    body = [
        (
            lane,
            str(result["tasks"]),
            f"{result['steps']:,}",
            str(result["passed"]),
            str(result["diverged"]),
            str(len(result["alarms"])),
            f"{result['largest_share']:.0%}",
        )
        for lane, result in lanes.items()
    ]
    head = ("lane", "tasks", "steps judged", "passed", "diverged", "alarms", "largest part of a bound used")
    return table(head, body)


def slack(tasks: Mapping[str, Sequence[Json]]) -> str:
    """By task and dtype the lane that came nearest to its bound."""
    body = []
    for task, lanes in tasks.items():
        for dtype in ("float64", "float32"):
            results = [(lane["lane"], lane[dtype]) for lane in lanes if dtype in lane]
            lane, most = max(results, key=lambda result: float(result[1]["share"]))
            least = min(float(result["share"]) for _, result in results)
            probabilistic = max(float(result["likely"]) for _, result in results)
            used = f"{least:.1%} to {most['share']:.1%}"
            at = f"{lane}, step {most['step']} of {most['steps']}"
            body.append((task, dtype, used, f"{most['slack']:.3g}", f"{probabilistic:.0%}", at))
    parts = ("part of the bound used, by lane", "slack", "part of the probabilistic bound")
    return table(("task", "dtype", *parts, "most at"), body)


def float32(programs: Sequence[Json]) -> str:
    """A row for every program and size: what its run in float32 used of its bounds, and what a probe did."""
    body = [
        (
            program["what"],
            program["loss"],
            f"{program['batch_size']:,} x {program['features']:,}",
            *(
                f"{program[part]:.3g}" if program[part] <= 1 else f"**{program[part]:.3g}**"
                for part in ("run", "probe")
            ),
        )
        for program in programs
    ]
    return table(("in float32", "loss", "batch", "run, times the bound", "probe, times the bound"), body)


# --- trust ----------------------------------------------------------------------------------------------------


def machines(origins: Mapping[str, Json]) -> str:
    """A row for each set of samples: when it was begun, by which version of the record, and on what."""
    body = []
    for samples, origin in origins.items():
        facts = origin["machine"]
        settings = ", ".join(f"{name}={value}" for name, value in facts["settings"].items()) or "none"
        blocks = ", ".join(f"{count} {framework}" for framework, count in origin["blocks"].items())
        place = f"{facts['cpu']}, {facts['allowed_cpus']} CPUs, {facts['memory'] / 2**30:.0f} GiB"
        on = f"{place}, {facts['system']}, {facts['python']}"
        body.append((f"`{samples}`", origin["created"][:10], str(origin["version"]), blocks, on, settings))
    return table(("samples", "begun", "record version", "blocks of", "machine", "environment settings"), body)


def identical(rows: Sequence[Json]) -> str:
    """A row for every framework, condition, effort and size of tasks; verdicts that no comparison got are 0."""
    body = []
    for row in rows:
        verdicts = Counter[str](row["words"])
        false = verdicts["FASTER"] + verdicts["SLOWER"]
        counts = (
            verdicts.total(),
            goals.decisions(verdicts),
            false,
            verdicts["UNDECIDED"],
            verdicts["UNSTABLE"],
            verdicts["INVALID"] + verdicts["FAILED"],
        )
        of_18 = Counter[str](row["words_of_18"])
        shown = (
            f"{row['covered'] / max(1, row['intervals']):.1%}",
            count_of(goals.decisions(of_18), of_18.total()) if of_18 else "",
        )
        place = row["framework"], row["tasks"], row["condition"], row["effort"], f"{row['spread']:.0%}"
        body.append((*place, *(f"{count:,}" for count in counts), *shown))
    place = ("copies of", "tasks", "machine", "effort", "spread of rounds")
    head = (*place, "comparisons", "decided", "called different", "undecided")
    return table((*head, "UNSTABLE", "INVALID, FAILED", "intervals that hold 1", "decided, of 18"), body)


def permuted_copies(rows: Sequence[Json]) -> str:
    """A row for all samples, truths, designs and ways of relabeling, frameworks pooled."""
    groups: dict[tuple[str, ...], list[Json]] = {}
    for row in rows:
        kind = f"`{row['samples']}`", row["truth"], row["design"], row["relabeled"]
        groups.setdefault(kind, []).append(row)
    body = []
    for place, of_these in groups.items():
        keys = ("sessions", "families", "decided", "false", "families_wrong")
        sessions, families, decided, false, wrong = (sum(row[key] for row in of_these) for key in keys)
        shown = (f"{count:,}" for count in (sessions, families, decided, false))
        body.append((*place, *shown, count_of(wrong, max(1, families), digits=1)))
    names = ("samples", "true ratios", "design", "relabeled in each")
    head = (*names, "sessions", "families", "decided", "wrong")
    return table((*head, "families with a wrong word"), body)


def readings(rows: Sequence[Json]) -> str:
    """The same comparisons, by condition, as three readers would judge them."""
    body = []
    for condition in ("idle", "loaded"):
        for effort in dict.fromkeys(row["effort"] for row in rows):
            sessions = [row for row in rows if (row["condition"], row["effort"]) == (condition, effort)]
            if not sessions:
                continue
            verdicts, naive = goals.pooled(sessions), Counter[str]()
            for row in sessions:
                naive.update(row["naive"])
            total = verdicts.total()
            counts = (verdicts["FASTER"] + verdicts["SLOWER"], naive["medians"], naive["welch"])
            shown = (count_of(count, max(1, total), digits=1) for count in counts)
            body.append((condition, effort, f"{total:,}", *shown))
    head = ("machine", "effort", "comparisons", "this suite", "medians, one after another", "Welch's test")
    return table(head, body)


def more_work(rows: Sequence[Json]) -> str:
    """A row for every amount of work, framework and size of tasks, by what the work really took."""
    columns = ("SLOWER", "EQUIVALENT", "UNDECIDED", "UNSTABLE", "FASTER")
    body = []
    for row in sorted(rows, key=lambda row: (row["tasks"] != "small", row["mean_ratio"])):
        verdicts, until = Counter[str](row["words"]), Counter[str](row["words_until"])
        place = f"{row['mean_ratio']:.4f}", row["tasks"], row["framework"], f"{row['percent']}%"
        counts = (str(verdicts[column]) for column in columns)
        total = until.total()
        later = (f"{until[column]} of {total}" if total else "" for column in ("SLOWER", "EQUIVALENT"))
        body.append((*place, str(verdicts.total()), *counts, *later, f"{row['blocks_until']:.0f}"))
    head = ("measured ratio", "tasks", "framework", "more steps", "comparisons", *columns)
    return table((*head, "until decided: SLOWER", "EQUIVALENT", "blocks"), body)


def traps(rows: Sequence[Json]) -> str:
    """A row for every lane that cheats: whether it was caught, and with which reason."""
    body = []
    for row in rows:
        counts = (f"{row[key]} of {row['sessions']}" for key in ("caught", "right"))
        body.append((row["trap"], row["expected"], *counts, row["reason"]))
    return table(
        ("trap", "verdict", "caught", "with its cause", "reason, in the last session, or what it took"), body
    )
