"""The table of all generated parts: page, marker, text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docs.generate import code_parts, experiment_parts, reference_parts, sweep_parts
from docs.generate.markdown import fill
from samestep.benchmarks.record import schema
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import columns, glossary

ROOT = Path(__file__).parents[2]
REFERENCE, SWEEP, ROW_SWEEP = (ROOT / "results" / name for name in ("reference", "sweep", "sweep-rows"))
SCHEMA = ROOT / "docs" / "record.schema.json"
FORMER_SCHEMA = ROOT / "docs" / "record-1.schema.json"
SHOWN = ("examples/packed/samestep_packed.py", "examples/packed/pyproject.toml")


@cache
def parts() -> dict[str, dict[str, str]]:
    """The generated text of every page by the name of its markers."""
    reference = reference_parts.Reference(load(REFERENCE))
    readme = {"table": reference.readme()}
    return {
        "README.md": readme,
        "README.zh.md": readme,
        "docs/table.md": {
            **reference.tables(),
            "narrow": code_parts.narrow(),
            "speed-columns": code_parts.columns_of(("lane", *columns.SPEED)),
            "cost-columns": code_parts.columns_of(columns.COST),
            "accuracy-columns": code_parts.columns_of(columns.ACCURACY),
            "verdicts": code_parts.verdicts(),
            "marks": glossary.rank_key(),
            "limits": code_parts.limits(),
            "efforts": code_parts.efforts(),
        },
        "docs/page.md": {"findings": reference.findings(), "tasks": code_parts.meanings()},
        "docs/faq.md": {
            "calls": reference.calls(),
            "sizes": reference.sizes(),
            "time": reference.duration(REFERENCE),
        },
        "docs/sizes.md": {**sweep_parts.of_grid(load(SWEEP)), **sweep_parts.of_rows(load(ROW_SWEEP))},
        "docs/new-lane.md": {name: code_parts.fenced(ROOT / name) for name in SHOWN},
        "docs/record.md": {"settings": code_parts.settings(), "reading": reference.reading()},
        "docs/rosetta.md": {"losses": code_parts.losses()},
        "docs/parity.md": experiment_parts.parity(ROOT),
        "docs/trust.md": experiment_parts.trust(ROOT),
    }


def pages() -> dict[Path, str]:
    """Every page that has generated parts, as it must be."""
    filled = {
        ROOT / page: fill((ROOT / page).read_text(encoding="utf-8"), text) for page, text in parts().items()
    }
    return filled | {SCHEMA: schema.text(), FORMER_SCHEMA: schema.text(1)}
