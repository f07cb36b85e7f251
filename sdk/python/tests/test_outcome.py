"""What an outcome says, and the objects that live longer than a call."""

import numpy as np
import pytest

import trefoil


@pytest.fixture(scope="module")
def outcome():
    random = np.random.default_rng(1)
    rows = 6000

    def table(shift):
        score = random.random(rows)
        return {
            "at": np.datetime64("2026-01-01", "s") + np.arange(rows) * 600,
            "amount": random.normal(size=rows) + shift * (np.arange(rows) > rows // 2),
            "<b>region</b>": random.choice(["n", "s"], rows),
            "score": score,
            "label": random.random(rows) < score,
        }

    reference, current = table(0.0), table(1.0)
    return trefoil.drift(
        reference, current, time="at", every="5d", by="<b>region</b>", target="label", score="score"
    )


def test_objects_say_what_the_dictionary_says(outcome):
    assert outcome.drifted and outcome.degraded in (True, False)
    assert outcome.drifted_columns == ["amount"]
    measure = outcome["amount"]["psi"]
    assert measure.drifted and measure.effect > 0.1 and measure.probability < 1e-6
    assert outcome.to_dict()["overall"]["columns"][0]["measures"][0]["value"] == measure.value
    assert sum(bin.reference for bin in outcome["amount"].bins) == pytest.approx(1.0)
    assert len(outcome.segments) == 2 and all(part.drifted for part in outcome.segments)
    assert outcome.drifted_windows == [w.name for w in outcome.windows if w.drifted] != []
    auroc = outcome.performance["auroc"]
    assert auroc.reference == pytest.approx(0.83, abs=0.02)
    assert all(p.estimate.lower <= p.estimate.value <= p.estimate.upper for p in auroc.points)
    assert "amount" in repr(outcome.columns[0]) and "1 of 3" in repr(outcome)
    with pytest.raises(KeyError, match="wage"):
        outcome["wage"]


def test_the_page_needs_nothing_else(outcome, tmp_path):
    page = outcome.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == page
    assert page.startswith("<!doctype html>") and "http" not in page and "<script" not in page
    assert "&lt;b&gt;region" in page and "<b>region" not in page


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(outcome):
    shown = outcome._repr_html_()
    assert shown.startswith("<iframe") and "<style>" not in shown


def test_print_gives_the_table(outcome):
    assert "DRIFT   amount" in str(outcome) and "\x1b" not in str(outcome)


def test_monitors_are_those_of_the_server(tmp_path):
    yaml = "monitors:\n  - name: quick\n  - name: thorough\n    detectors: all\n"
    (tmp_path / "monitors.yaml").write_text(yaml)
    table = {"x": np.arange(500.0) % 17}
    for config in (yaml, tmp_path / "monitors.yaml", str(tmp_path / "monitors.yaml")):
        quick, thorough = trefoil.monitors(table, table, config)
        assert (quick.name, thorough.name) == ("quick", "thorough")
        assert len(thorough["x"].measures) > len(quick["x"].measures) == 1


def test_detectors_come_with_their_documentation():
    names = [detector.name for detector in trefoil.detectors()]
    assert {"psi", "chi_square", "mmd", "correlation_change", "adwin"} <= set(names)
    assert all("seful" in detector.documentation for detector in trefoil.detectors())


def test_columns_together_streams_and_groups_are_typed():
    random = np.random.default_rng(3)
    rows = 4000

    def table(noise, wrong):
        x = random.normal(size=rows)
        label = random.random(rows) < 0.5
        mistaken = random.random(rows) < np.where(np.arange(rows) > 2000, wrong, 0.1)
        return {
            "x": x,
            "y": (1 - noise) * x + (1 - (1 - noise) ** 2) ** 0.5 * random.normal(size=rows),
            "group": random.choice(["a", "b"], rows),
            "label": label,
            "score": np.where(label ^ mistaken, 0.9, 0.1),
        }

    outcome = trefoil.drift(
        table(0.1, 0.1),
        table(0.9, 0.5),
        detectors=["pca_reconstruction", "mmd", "correlation_change", "ddm"],
        every=1000,
        target="label",
        score="score",
        protected="group",
        value={"true_positive": 5, "false_positive": -1},
    )
    assert all(one.overall.drifted for one in outcome.multivariate)
    assert [one.detector for one in outcome.multivariate] == ["pca_reconstruction", "mmd"]
    assert (outcome.correlations[0].left, outcome.correlations[0].right) == ("x", "y")
    assert outcome.streams[0].column == "mistakes" and outcome.streams[0].alarms[0].row > 2000
    assert {group.name for group in outcome.fairness.current.groups} == {"a", "b"}
    assert outcome.performance["value"].points[-1].alert
    with pytest.raises(ValueError, match="true_maybe"):
        trefoil.drift({"x": [1.0]}, {"x": [1.0]}, value={"true_maybe": 1})


def test_profiles_add_up_and_travel_as_bytes():
    values = np.random.default_rng(2).normal(size=10_000)
    reference = trefoil.Profile.fit(values)
    halves = [reference.empty().update(half) for half in np.split(values + 0.3, 2)]
    halves[1] = trefoil.Profile.decode(halves[1].encode())
    whole = reference.empty().update(values + 0.3)
    both = halves[0].merge(halves[1])
    assert both.counts == whole.counts and both.rows == 10_000
    assert both.measure(reference) == whole.measure(reference)
    assert both.mean == pytest.approx(whole.mean) and len(both.cuts) == 9
    with pytest.raises(ValueError, match="edges"):
        both.merge(trefoil.Profile.fit(values * 2))
    with pytest.raises(ValueError, match="needs the values"):
        both.measure(reference, "kolmogorov_smirnov")


def test_streams_are_watched_value_by_value():
    random = np.random.default_rng(5)
    stream = np.concatenate([random.normal(size=1000), random.normal(size=500) + 2])
    one, other = trefoil.Sequential("adwin"), trefoil.Sequential("adwin")
    alarms = [row for row, value in enumerate(stream) if one.update(value) == "drift"]
    assert alarms == other.scan(stream) and 1000 < alarms[0] < 1100
    assert "Not useful" in trefoil.sequential_detectors()["adwin"]
