"""The whole corpus, which takes minutes: `pytest -m redteam`."""

import pytest

from tests.hostile.corpus import read_corpus
from tests.hostile.redteam import render_table, run_corpus


@pytest.mark.redteam
@pytest.mark.shared_data
def test_the_whole_corpus_holds_on_every_surface(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = read_corpus()
    rows = list(run_corpus(corpus))
    with capsys.disabled():
        print(f"\n{render_table(rows, corpus)}")
    assert [row.faults for row in rows] == [()] * len(rows)
