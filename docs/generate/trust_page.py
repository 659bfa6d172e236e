"""The tables in docs/trust.md, from results/trust."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docs.generate.fill import filled, rows, versions
from validation import goals, store


def updated(text: str, root: Path) -> str:
    """The page's text with its tables between their markers; `root` is the checkout's."""
    found = {name: store.read(name, root / store.TRUST) for name in ("aa", "power", "traps")}
    aa, power = found["aa"]["rows"], found["power"]["rows"]
    tables = {
        "versions": versions(found),
        "machine": machine(found["aa"]["machine"]),
        "goals": reached(
            [*goals.of("aa", aa), *goals.of("power", power), *goals.of("traps", found["traps"])]
        ),
        "aa": identical(aa),
        "readings": readings(aa),
        "power": more_work(power),
        "traps": traps(found["traps"]["traps"]),
    }
    return filled(text, tables)


def machine(found: dict[str, Any]) -> str:
    """What the figures come from."""
    settings = ", ".join(f"{name}={value}" for name, value in found["settings"].items()) or "none"
    return (
        f"{found['cpu']}, {found['allowed_cpus']} CPUs, {found['memory'] / 2**30:.0f} GiB, {found['system']}, "
        f"{found['python']}; environment settings: {settings}."
    )


def reached(found: Iterable[goals.Goal]) -> str:
    body = [(goal.text, goal.reached, "met" if goal.met else "**not met**") for goal in found]
    return rows(("goal", "reached", ""), body)


def identical(found: list[dict[str, Any]]) -> str:
    """A row for every framework, condition and length; words that no comparison got are 0."""
    body = []
    for row in found:
        words = Counter(row["words"])
        false = words["FASTER"] + words["SLOWER"]
        counts = (words.total(), goals.decisions(words), false, words["UNDECIDED"], words["UNSTABLE"])
        covered = f"{row['covered'] / max(1, row['intervals']):.1%}"
        barred = words["INVALID"] + words["FAILED"]
        place = row["framework"], row["condition"], str(row["blocks"])
        body.append((*place, *(f"{count:,}" for count in counts), str(barred), covered))
    head = ("copies of", "machine", "blocks", "comparisons", "decided", "called different", "undecided")
    return rows((*head, "UNSTABLE", "INVALID, FAILED", "intervals that hold 1"), body)


def readings(found: list[dict[str, Any]]) -> str:
    """The same comparisons, by condition, as three readers would judge them."""
    body = []
    for condition in ("idle", "loaded"):
        for blocks in sorted({row["blocks"] for row in found}):
            own = [row for row in found if (row["condition"], row["blocks"]) == (condition, blocks)]
            words, naive = goals.pooled(own), Counter[str]()
            for row in own:
                naive.update(row["naive"])
            total = words.total()
            ours = words["FASTER"] + words["SLOWER"]
            counts = (ours, naive["medians"], naive["welch"])
            body.append((condition, str(blocks), f"{total:,}", *(share(count, total) for count in counts)))
    head = ("machine", "blocks", "comparisons", "this suite", "medians, one after another", "Welch's test")
    return rows(head, body)


def share(part: int, whole: int) -> str:
    return f"{part:,} ({part / max(1, whole):.1%})"


def more_work(found: list[dict[str, Any]]) -> str:
    """A row for every amount of work and framework."""
    body = []
    for row in sorted(found, key=lambda row: (row["percent"], row["framework"])):
        words = Counter(row["words"])
        counts = [words[word] for word in ("SLOWER", "EQUIVALENT", "UNDECIDED", "UNSTABLE", "FASTER")]
        place = f"{row['percent']}%", row["framework"], str(row["comparisons"])
        body.append((*place, *map(str, counts), f"{row['mean_ratio']:.4f}"))
    head = (
        "more work",
        "framework",
        "comparisons",
        "SLOWER",
        "EQUIVALENT",
        "UNDECIDED",
        "UNSTABLE",
        "FASTER",
    )
    return rows((*head, "mean ratio"), body)


def traps(found: list[dict[str, Any]]) -> str:
    body = [
        (
            row["trap"],
            row["expected"],
            *(f"{row[key]} of {row['sessions']}" for key in ("caught", "right")),
            row["reason"],
        )
        for row in found
    ]
    head = ("trap", "verdict", "caught", "with its cause", "reason, in the last session")
    return rows(head, body)
