"""Every word that a table can show is explained, and docs/table.md has a section for each that says more."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from samestep.benchmarks.analysis.verdicts import VerdictWord
from samestep.benchmarks.commands.explain import explain
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.report.columns import ACCURACY, COST, SPEED
from samestep.benchmarks.report.glossary import group, shown
from samestep.benchmarks.report.words import meaning_of, meanings
from tests.helpers.paths import ROOT


def test_every_column_and_verdict_is_explained_and_nothing_else() -> None:
    assert set(group("columns")) == {"lane", *SPEED, *COST, *ACCURACY}
    assert set(group("verdicts")) == {shown(word) for word in get_args(VerdictWord)}
    for word, meaning in meanings().items():
        assert not meaning.text.endswith("."), word
        assert not meaning.see or meaning.see in group("concepts"), word


def test_words_that_say_more_have_a_section_of_the_page() -> None:
    page = (ROOT / "docs" / "table.md").read_text(encoding="utf-8")
    headings = {line[3:].lower() for line in page.splitlines() if line.startswith("## ")}
    assert {meaning.see for meaning in meanings().values() if meaning.see} <= headings


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("faster", "FASTER: a test decides"),
        ("◆", "◆: ◆ is the least time of its tier"),
        ("over floor", " floor: the larger of"),
        (" Twin ", "twin: in every block one lane races twice"),
    ],
)
def test_a_word_is_explained_whatever_its_case(word: str, says: str) -> None:
    assert says in meaning_of(word)


def test_the_same_is_there_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    explain([], json=True)
    said = json.loads(capsys.readouterr().out)
    assert [f"{name}: {text}" for name, text in said.items()] == [meaning_of(name) for name in meanings()]
    explain(["faster", "◆"], json=True)
    assert list(json.loads(capsys.readouterr().out)) == ["FASTER", "◆"]


def test_another_word_is_one_line_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no word 'floof' in the tables: did you mean 'floor'"):
        meaning_of("floof")
