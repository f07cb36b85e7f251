"""Rankings, quantiles, thresholds, experiments and attributions, where the answer is known."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import trefoil


def test_rankings_by_query():
    queries = np.repeat(np.arange(100), 5)
    score = -np.tile(np.arange(5.0), 100)
    second = np.tile([0, 1, 0, 0, 0], 100)
    fourth = np.tile([0, 0, 0, 1, 0], 100)
    table = {"query": queries, "score": score, "relevance": second}
    outcome = trefoil.drift(
        table, {**table, "relevance": fourth}, target="relevance", score="score", query="query", top=3
    )
    performance = outcome.performance
    assert (performance.task, performance.top) == ("ranking", 3)
    assert performance["ndcg"].reference == pytest.approx(1 / math.log2(3))
    assert performance["mrr"].reference == pytest.approx(0.5)
    assert performance["hit_rate"].points[0].realized == 0 and outcome.degraded


def test_a_quantile():
    labels = np.tile(np.arange(10.0), 50)
    table = {"minutes": labels, "promised": np.full(500, 8.0)}
    outcome = trefoil.drift(table, table, target="minutes", prediction="promised", quantile=0.9)
    assert outcome.performance["coverage"].points[0].realized == pytest.approx(0.9)
    assert outcome.performance["quantile_loss"].points[0].realized == pytest.approx(0.45)
    assert outcome.performance.quantile == 0.9


def test_decisions_by_threshold():
    table = {"score": np.tile([0.9, 0.6, 0.4, 0.1], 50), "label": np.tile([1, 0, 1, 0], 50)}
    found = trefoil.drift(table, table, target="label", score="score").performance.thresholds
    assert found.used == 0.5 and len(found.current.points) == 101
    decided = found.current.decided
    assert decided.confusion == trefoil.Confusion(50.0, 50.0, 50.0, 50.0)
    assert decided.precision == decided.recall == 0.5
    best = found.current.best_f1
    assert (best.threshold, best.recall) == (0.11, 1.0) and best.precision == pytest.approx(2 / 3)


def test_an_experiment():
    random = np.random.default_rng(1)

    def variant(chance, rows=20_000):
        return {"bought": random.random(rows) < chance, "amount": random.normal(20, 5, rows)}

    control, treatment = variant(0.10), variant(0.13)
    outcome = trefoil.drift(control, treatment, experiment=["bought", "amount"])
    found = outcome.experiment
    assert outcome.decided and not found.sample_ratio.mismatch
    assert (found["bought"].verdict, found["amount"].verdict) == ("higher", "undecided")
    assert found["bought"].conversion and found["bought"].level == pytest.approx(0.025)
    once, ever = found["bought"].difference, found["bought"].always_valid
    assert ever.lower < once.lower < 0.03 < once.upper < ever.upper
    split = trefoil.drift(control, variant(0.1, 18_000), experiment={"metrics": "bought"}).experiment
    assert split.sample_ratio.mismatch and split.sample_ratio.observed == pytest.approx(18 / 38)
    planned = {"metrics": ["bought"], "shares": [20, 18], "level": 0.01, "scale": 0.01}
    split = trefoil.drift(control, variant(0.1, 18_000), experiment=planned).experiment
    assert not split.sample_ratio.mismatch and split["bought"].scale == 0.01
    for wrong in ({"metric": ["bought"]}, {"metrics": []}, {"metrics": ["bought"], "shares": [1]}):
        with pytest.raises(ValueError):
            trefoil.drift(control, treatment, experiment=wrong)


def features(shift):
    random = np.random.default_rng(int(shift) + 5)
    return {"loud": random.normal(0, 1, 2000), "quiet": random.normal(shift, 1, 2000)}


LINEAR = {"intercept": 1.0, "weights": {"loud": 3.0, "quiet": -1.0}}


def test_a_model_says_which_drift_matters(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(LINEAR))
    for model in (LINEAR, path, str(path), path.read_bytes()):
        outcome = trefoil.drift(features(0.0), features(4.0), model=model)
        found = outcome.attribution
        assert found.kind == "linear" and found.rows == (1000, 1000) and found.drifted
        assert [one.name for one in found.features] == ["loud", "quiet"]
        assert found["quiet"].column_drifted and not found["loud"].column_drifted
        assert found["quiet"].current == pytest.approx(4.0, abs=0.2)
    yaml = f"monitors:\n  - name: m\n    model: {path}\n"
    assert trefoil.monitors(features(0.0), features(4.0), yaml)[0].attribution.agreement < 0.9
    with pytest.raises(ValueError, match="gone"):
        trefoil.drift(features(0.0), features(1.0), model={"weights": {"gone": 1.0}})
    with pytest.raises(TypeError, match="trefoil.attribution"):
        trefoil.drift(features(0.0), features(1.0), model=lambda rows: rows)


def test_any_model_that_is_called():
    before, now = pd.DataFrame(features(0.0)), pd.DataFrame(features(4.0))
    asked = []

    def model(rows):
        asked.append(rows.shape)
        return 1.0 + 3.0 * rows[:, 0] - rows[:, 1]

    found = trefoil.attribution(model, before, now, columns=["loud", "quiet"], rows=100, orders=50)
    assert set(asked) == {(150, 2)} and len(asked) == 200
    assert found.kind == "permutation" and found.rows == (100, 100)
    # A linear model has the same parts however orders are drawn, up to the rows of the background.
    exact = trefoil.drift(before, now, model=LINEAR).attribution
    for feature in exact.features:
        assert found[feature.name].current == pytest.approx(feature.current, rel=0.15)
    again = trefoil.attribution(model, before, now, rows=100, orders=50)
    assert again == found
    with pytest.raises(ZeroDivisionError):
        trefoil.attribution(lambda rows: 1 / 0, before, now)
    with pytest.raises(ValueError, match="answers"):
        trefoil.attribution(lambda rows: np.zeros((len(rows), 2)), before, now, rows=5)
    with pytest.raises(ValueError, match="gone"):
        trefoil.attribution(model, before, now, columns=["gone"])


def test_the_catalogue_has_everything():
    entries = {entry.name: entry for entry in trefoil.catalogue()}
    assert {"psi", "ranking", "quantile", "thresholds", "cbpe", "fairness", "quality"} <= set(entries)
    assert entries["experiment"].kind == "experiments"
    assert "Source:" in entries["attribution"].documentation
    assert not {"ranking", "experiment"} & {one.name for one in trefoil.detectors()}
