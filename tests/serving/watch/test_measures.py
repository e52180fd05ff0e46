"""What is counted, and into which bins."""

import numpy as np
import pytest
from pydantic import ValidationError

from serving import Statement
from serving.statement import HeadPrediction, Prediction
from serving.watch.measures import Histogram, histograms, observed


def answer(probability: float = 0.7, abstained: bool = False) -> Prediction:
    rest = (1 - probability) / 2
    head = HeadPrediction(
        label="support",
        probabilities={"support": probability, "neutrality": rest, "criticism": rest},
        abstained=abstained,
    )
    return Prediction(stance=head, sentiment=None)


def test_a_statement_is_counted_without_its_text():
    statement = Statement(text="The mayor hailed the tram plan.", speaker="The mayor", target="a tunnel")
    assert observed(statement, answer(abstained=True)) == {
        ("", "length"): 6.0,
        ("", "holder"): "found",
        ("", "target"): "not found",
        ("stance", "label"): "support",
        ("stance", "confidence"): 0.7,
        ("stance", "abstention"): "abstains",
    }
    assert observed(Statement(text="It was a waste."), answer())["", "target"] == "not given"


def test_words_of_a_language_without_blanks_are_counted():
    assert observed(Statement(text="市长欢迎有轨电车计划。"), answer())["", "length"] > 3


def test_numbers_are_cut_at_the_deciles_and_every_row_is_counted():
    rows = [{("", "length"): float(value)} for value in range(1, 101)]
    [made] = histograms(rows, {})
    assert len(made.counts) == 10
    assert max(made.counts) - min(made.counts) <= 1
    assert made.place(0.0) == 0
    assert made.place(1e9) == 9
    assert made.place(made.edges[3]) == 4, "an edge belongs to the bin above it"


def test_a_wanted_edge_takes_the_place_of_the_nearest():
    rows = [{("stance", "confidence"): value} for value in np.linspace(0.4, 1, 200).tolist()]
    [made] = histograms(rows, {("stance", "confidence"): 0.611})
    assert 0.611 in made.edges
    assert len(made.counts) == 10
    assert sum(made.counts) == 200


@pytest.mark.parametrize("values", [[3.0] * 20, [3.0], [3.0] * 19 + [5.0]])
def test_a_number_that_hardly_varies_has_few_bins(values):
    [made] = histograms([{("", "length"): value} for value in values], {})
    assert sum(made.counts) == len(values)
    assert len(made.counts) == len(set(values)) or len(made.counts) == 1
    assert len(made.names()) == len(made.counts)


def test_bins_have_names_that_people_read():
    lengths = Histogram(head="", measure="length", edges=(8, 12), counts=(1, 2, 3))
    assert lengths.names() == ["under 8", "8 to 12", "12 or more"]
    shares = Histogram(head="stance", measure="confidence", edges=(0.456, 0.9), counts=(1, 2, 3))
    assert shares.names() == ["under 0.46", "0.46 to 0.90", "0.90 or more"]
    labels = Histogram(head="", measure="holder", bins=("found", "not found"), counts=(1, 2))
    assert labels.names() == ["found", "not found"]
    assert labels.place("something new") is None


def test_another_number_of_counts_than_bins_is_refused():
    with pytest.raises(ValidationError, match="another number of bins"):
        Histogram(head="", measure="length", edges=(8, 12), counts=(1, 2))
