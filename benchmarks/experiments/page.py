"""The pages that are made from the experiments' results: `python -m benchmarks.experiments.page`.

The tests check that docs/parity.md and docs/trust.md are what this would write.
"""

from __future__ import annotations

from benchmarks.experiments import parity_page, trust_page
from benchmarks.report.readme import ROOT

PAGES = {"parity.md": parity_page.updated, "trust.md": trust_page.updated}


if __name__ == "__main__":
    for name, updated in PAGES.items():
        page = ROOT / "docs" / name
        page.write_text(updated(page.read_text(encoding="utf-8"), ROOT), encoding="utf-8")
