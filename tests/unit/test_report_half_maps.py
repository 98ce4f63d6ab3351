"""What the report says of over-fitting and of the residues that a map supports."""

import numpy as np
import pandas as pd

from classfold.report.half_maps import plot_validation, support_sentences, validation_sentences

RECORD = {
    "cc_work": 0.71,
    "cc_free": 0.6,
    "gap": 0.0812,
    "gap_error": 0.004,
    "sentence": "the models follow the noise of the map: so it is",
}


def residues(*supports: str) -> pd.DataFrame:
    chains = ["A"] * (len(supports) - 1) + ["B"]
    return pd.DataFrame({"chain": chains, "residue_number": range(1, len(supports) + 1), "support": supports})


def test_the_verdict_stands_with_its_numbers_and_only_where_it_was_asked_for():
    first, second = validation_sentences({"half_map_validation": RECORD})
    assert first == "The models follow the noise of the map: so it is."
    assert "0.710 with half map 1, 0.600 with half map 2" in second and "0.081 ± 0.004" in second
    assert validation_sentences({"half_map_validation": None}) == validation_sentences({}) == []
    assert validation_sentences(None) == []


def test_residues_without_density_are_named_in_stretches_of_their_chain():
    none = "no density"
    said = support_sentences(residues("supported", none, none, "weak", none, none))
    assert said[0] == "1 of 6 residues (17%) are supported, 1 weak, 4 without density."
    assert said[1] == "Without density: A 2-3, A 5, B 6."
    assert support_sentences(residues("supported", "weak")) == [
        "1 of 2 residues (50%) are supported, 1 weak, 0 without density."
    ]
    many = residues(*(["supported", none] * 20))
    assert support_sentences(many)[1].endswith("and 8 more, see residues.csv.")
    assert support_sentences(many.drop(columns="support")) == support_sentences(None) == []


def test_both_curves_are_drawn_and_read_out():
    frequency = np.arange(6) / 20
    curves = pd.DataFrame({"frequency_per_angstrom": frequency, "work": np.full(6, 0.9), "free": np.full(6, 0.7)})
    drawn = str(plot_validation(curves, 4.0))
    assert drawn.count("line best") == 1 and drawn.count("line given") == 1 and "decision" in drawn
    assert "5 Å: half map 1 0.90, half map 2 0.70" in drawn
