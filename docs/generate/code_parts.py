"""What comes from the code itself: the constants of the verdicts, efforts, losses, and files that are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from docs.generate.markdown import table
from samestep.backends import losses as registry
from samestep.benchmarks import tasks
from samestep.benchmarks.analysis import gates
from samestep.benchmarks.analysis.rows import BUSY
from samestep.benchmarks.measure.efforts import EFFORTS, UNTIL
from samestep.benchmarks.measure.settings import RULES
from samestep.benchmarks.measure.task_files import RUN_STEPS
from samestep.benchmarks.report import columns, glossary
from samestep.benchmarks.statistics import inference

LANGUAGES = {".py": "python", ".toml": "toml"}
TREATMENTS = {
    "unset": "unset",
    "shown": "kept, shown",
    "gpu": "kept, shown on a GPU",
    "recorded": "kept",
    "ignored": "not recorded",
}


def limits() -> str:
    """The constants that a verdict depends on."""
    margin, control = math.expm1(inference.MARGIN), math.expm1(gates.TWIN)
    part, least = gates.CLOCK
    body = [
        ("margin", f"{margin:.0%}", "a smaller difference counts as none"),
        ("level", f"{inference.ALPHA:.0%}", "of a test, over all comparisons of the record together (Holm)"),
        (
            "power",
            f"{inference.POWER:.0%}",
            "chance to be called different: the note of an undecided row names the ratios that had less",
        ),
        (
            "twin",
            f"{control:.0%}, {gates.TWIN_LEVEL:.0%}",
            "the twin's interval of this level must reach within this",
        ),
        (
            "drift",
            f"{margin:.0%}, 99%",
            "of the ratio between the halves of the session: its interval of this level must reach within this",
        ),
        ("steal", f"{gates.STEAL:.0%}", "of the time, taken away by the host, at most"),
        ("quota", f"{gates.QUOTA:.0%}", "of the slices, in which a CPU quota stopped the lane, at most"),
        (
            "threads",
            f"{gates.CPU_PER_WALL:.2f}",
            "CPU seconds for each second, in the median or the mean of its slices, at most, with `--threads one`",
        ),
        (
            "helpers",
            f"{gates.HELP[0]:.0%} or {gates.HELP[1] / 1000:.0f} us",
            "CPU time of child processes in a slice, the larger, at most, on average with `--threads one`",
        ),
        (
            "clock",
            f"{part:.0%} or {least / 1000:.0f} us",
            "more CPU time by the coordinator's clock than by those of its process, the larger, at most",
        ),
        (
            "waiting",
            f"{gates.WAITING[0]:.0%} or {gates.WAITING[1] / 1e6:.0f} ms",
            "more time by the coordinator's clock, in three quarters of the slices, the larger, at most",
        ),
        ("resolution", f"{gates.SHORTEST_NS / 1000:.0f} us", "of a slice, at least"),
        ("busy", f"{BUSY:.0%}", "of a core: a lane that had less has a note below the table"),
        ("run", f"{RUN_STEPS}", "steps, at most, are in a run; a slice is a chain of runs"),
    ]
    return table(("name", "value", "what"), body)


def efforts() -> str:
    named = [(f"`{name}`", effort) for name, effort in EFFORTS.items()]
    named += [(f"`--until {what}`", effort) for what, effort in UNTIL.items()]
    body = [
        (
            name,
            ", ".join(map(str, (*e.looks, e.blocks))),
            f"{e.rounds[0]} to {e.rounds[1]}",
            f"{e.slice_ms:g} ms",
            str(e.cold),
        )
        for name, e in named
    ]
    return table(("effort", "blocks", "rounds in a block", "a slice, at least", "cold first calls"), body)


def columns_of(names: Sequence[str]) -> str:
    """The columns of a table of figures and what each means, with a link to the section that says more."""
    body = []
    for name in names:
        meaning = glossary.group("columns")[name]
        more = f". See [{meaning.see}](#{meaning.see.replace(' ', '-')})" if meaning.see else ""
        body.append((f"`{columns.COLUMNS[name].heading}`", meaning.text + more))
    return table(("column", "meaning"), body)


def verdicts() -> str:
    """Every word of a verdict, in the order in which they apply, and what it says."""
    said = glossary.by_meaning(glossary.group("verdicts"))
    body = [(f"`{names.replace(', ', '`, `')}`", text) for names, text in said.items()]
    return table(("word", "meaning"), body)


def meanings() -> str:
    """What each named task is about."""
    return table(("task", "about"), [(f"`{name}`", tasks.meaning(tasks.get(name))) for name in tasks.names()])


def narrow() -> str:
    """The columns that a narrow terminal leaves out, in their order."""
    return f"{', '.join(f'`{columns.COLUMNS[name].heading}`' for name in columns.DROPS)}."


def losses() -> str:
    """What the registry declares of every loss."""
    body = []
    for spec in map(registry.get, registry.names()):
        options = ", ".join(f"{name} = {option.default}" for name, option in spec.options.items())
        jax = "a formula" if spec.jax_name == "formula" else f"`{spec.jax_name}`"
        body.append((spec.torch_name, spec.formula, options, jax))
    return table(("loss", "of an element", "options", "in JAX by"), body)


def settings() -> str:
    """What becomes of every environment variable that the suite knows."""
    names: dict[tuple[str, str], list[str]] = {}
    for rule in RULES:
        names.setdefault((TREATMENTS[rule.treatment], rule.what), []).append(f"`{rule.pattern}`")
    body = [(", ".join(patterns), treatment, what) for (treatment, what), patterns in names.items()]
    return table(("variables", "in workers", "what they do, or whom they concern"), body)


def fenced(path: Path) -> str:
    """A file of the repository in a fenced block."""
    return f"```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8')}```"
