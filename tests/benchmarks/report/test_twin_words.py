"""What tables say of the A/A controls is what the record holds."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import AnyRecord
from samestep.benchmarks.record.files import load
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.page import page
from samestep.benchmarks.report.twin_words import with_twins
from tests.helpers.page_records import grid
from tests.helpers.paths import REFERENCE
from tests.helpers.records import record


def without_twins(made: AnyRecord, blocks: Collection[int]) -> AnyRecord:
    """The record without the A/A controls of some blocks."""
    changed = tuple(
        block.model_copy(update={"slices": tuple(s for s in block.slices if not s.twin)})
        if block.index in blocks
        else block
        for block in made.blocks
    )
    return made.model_copy(update={"blocks": changed})


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ((), ", with an identical twin in every race"),
        ((0, 3), ", with an identical twin in 4 of 6 races"),
        (range(6), ", without an identical twin in any race"),
    ],
)
def test_the_words_follow_the_slices_in_every_table(blocks: Collection[int], words: str) -> None:
    made = without_twins(record({"jax": [0.5] * 6}), blocks)
    assert with_twins(made) == words
    analysis = RecordAnalysis(made)
    assert words in tables.scope(analysis)[0]
    assert words in page(made)
    over_sizes = without_twins(grid(), blocks)
    said = words.replace("4 of 6", "24 of 36")  # six sizes
    assert said in tables.render(RecordAnalysis(over_sizes), "markdown")


def test_a_record_without_blocks_says_nothing_of_twins() -> None:
    made = record({"jax": [0.5] * 6}).model_copy(update={"blocks": ()})
    assert with_twins(made) == ""
    assert "twin" not in tables.scope(RecordAnalysis(made))[0]


def test_the_committed_reference_has_a_twin_in_every_race() -> None:
    assert with_twins(load(REFERENCE)) == ", with an identical twin in every race"
