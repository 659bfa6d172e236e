"""Make every generated part of the documentation anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate import pages, parity_page, readme, trust_page
from docs.generate.readme import ROOT
from samestep.benchmarks.record import schema

EXPERIMENTS: dict[str, Callable[[str, Path], str]] = {
    "parity.md": parity_page.updated,
    "trust.md": trust_page.updated,
}


def main() -> None:
    """Write the pages in place; the tests check that they are what this would write."""
    for page in readme.PAGES:
        page.write_text(readme.updated(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name in pages.sections():
        page = ROOT / "docs" / name
        page.write_text(pages.updated(name, page.read_text(encoding="utf-8")), encoding="utf-8")
    for name, updated in EXPERIMENTS.items():
        page = ROOT / "docs" / name
        page.write_text(updated(page.read_text(encoding="utf-8"), ROOT), encoding="utf-8")
    (ROOT / "docs" / "record.schema.json").write_text(schema.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
