"""The examples run, and find what is known to be in the data."""

import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_car_loan_finds_exactly_the_chunks_that_drift(nannyml_data):
    found = runpy.run_path(str(EXAMPLES / "car_loan.py"))
    assert sorted(found["drifted_columns"]) == [
        "car_value",
        "loan_length",
        "repaid_loan_on_prev_car",
        "salary_range",
        "y_pred_proba",
    ]
    assert found["drifted_chunks"] == [5, 6, 7, 8, 9]
    assert found["estimated_alerts"] == [5, 6, 7, 8, 9]
    assert found["realized_alerts"] == [5, 6, 7, 8, 9]
    assert "<!doctype html>" in found["page"] and "y_pred_proba" in found["page"]


def test_every_detector_agrees_on_pandas_and_polars(nannyml_data):
    import pandas as pd
    import polars as pl

    import trefoil

    reference = nannyml_data / "synthetic_car_loan_reference.csv"
    current = nannyml_data / "synthetic_car_loan_analysis.csv"
    of_pandas = trefoil.drift(pd.read_csv(reference), pd.read_csv(current), detectors="all")
    of_polars = trefoil.drift(pl.read_csv(reference), pl.read_csv(current), detectors="all")
    assert of_pandas.drifted_columns == of_polars.drifted_columns
    for column in of_pandas.columns:
        ours = {measure.detector: measure.value for measure in column.measures}
        assert ours == {m.detector: m.value for m in of_polars[column.name].measures}
