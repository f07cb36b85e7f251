"""Drift, data quality and performance of models, without a server and without copies.

    import trefoil
    outcome = trefoil.drift(reference, current)
    outcome.drifted_columns          # ['income']
    outcome                          # in a notebook: the whole report

Tables are NumPy arrays, pandas or Polars frames, anything with Arrow's PyCapsule interface
(pyarrow, DuckDB, ...), or a dictionary of columns. A column of vectors (embeddings) is a list or array
column, or in a dictionary an array of two dimensions. They are read where they lie; nothing is sent
anywhere. While a call computes, other threads run: do not write to its arrays meanwhile.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from trefoil import _frames, _native
from trefoil._native import __version__
from trefoil._results import (
    Alarm,
    Arm,
    AtThreshold,
    Attribution,
    Band,
    Bin,
    ByThreshold,
    Classes,
    Column,
    Compared,
    Component,
    Confusion,
    Correlation,
    Detector,
    Difference,
    Embedding,
    Estimate,
    Experiment,
    ExperimentSegment,
    Feature,
    Group,
    Groups,
    Look,
    Measure,
    Metric,
    Multivariate,
    Outcome,
    Part,
    Performance,
    Point,
    Rates,
    Report,
    SampleRatio,
    Stream,
    Thresholds,
    Together,
    attribution_of,
)
from trefoil._streams import Profile, Sequential, sequential_detectors

__all__ = [
    "Alarm",
    "Arm",
    "AtThreshold",
    "Attribution",
    "Band",
    "Bin",
    "ByThreshold",
    "Classes",
    "Column",
    "Compared",
    "Component",
    "Confusion",
    "Correlation",
    "Detector",
    "Difference",
    "Embedding",
    "Estimate",
    "Experiment",
    "ExperimentSegment",
    "Feature",
    "Group",
    "Groups",
    "Look",
    "Measure",
    "Metric",
    "Multivariate",
    "Outcome",
    "Part",
    "Performance",
    "Point",
    "Profile",
    "Rates",
    "Report",
    "SampleRatio",
    "Sequential",
    "Stream",
    "Thresholds",
    "Together",
    "__version__",
    "attribution",
    "catalogue",
    "detectors",
    "drift",
    "monitors",
    "sequential_detectors",
]

Bins = Union[int, str, Sequence[float]]


def drift(
    reference: Any,
    current: Any,
    *,
    columns: Optional[Sequence[str]] = None,
    detectors: Union[str, Sequence[str], None] = None,
    bins: Bins = 10,
    alpha: float = 0.05,
    correction: str = "holm",
    customary: bool = False,
    deviations: Optional[float] = None,
    by: Optional[str] = None,
    time: Optional[str] = None,
    every: Union[str, int, None] = None,
    target: Optional[str] = None,
    prediction: Optional[str] = None,
    score: Optional[str] = None,
    scores: Optional[Mapping[str, str]] = None,
    value: Optional[Mapping[str, float]] = None,
    protected: Optional[str] = None,
    query: Optional[str] = None,
    top: int = 10,
    quantile: Optional[float] = None,
    experiment: Union[str, Sequence[str], Mapping[str, Any], None] = None,
    model: Union[str, bytes, "os.PathLike[str]", Mapping[str, Any], None] = None,
    name: str = "drift",
) -> Outcome:
    """Compares what things are like with what they were like.

    columns:    these only; all but times and row numbers where none are named
    detectors:  names, or "all" for all that look at one column; "psi" where none are, and of vectors
                "centroid_euclidean". Those of several
                columns and those that go row by row are taken as well (see `trefoil.detectors()`)
    bins:       quantiles of the reference, "doane", "values", or a list of cuts
    alpha:      chance of any false alarm a window, all columns together
    correction: how that is shared: "holm", "bonferroni", "false_discovery", "none"
    customary:  alarm by each detector's customary rule instead
    deviations: alarm above the mean of chunks of the reference by more than so many standard deviations
    by:         a column whose values are compared segment by segment
    time:       the column of the rows' time
    every:      windows: "1d", "1h", "5000 rows", or a number of rows
    target, prediction, score: labels, decisions and scores: performance, realised where labels are
                and estimated where they are not
    scores:     of more than two classes, {class: column of its score}; `prediction` is then a class
    value:      what a decision is worth: {"true_positive": 10, "false_positive": -2, ...}
    protected:  a column of groups of people, whose rates are compared
    query, top: of a ranking, the column that says which rows are the items of one query, and the places
                that are looked at; `target` is the relevance, `score` the order
    quantile:   the quantile that `prediction` is of
    experiment: metrics of an experiment, of which the reference is the control, or {"metrics": [...],
                "shares": [0.5, 0.5], "level": 0.05, "scale": ...}
    model:      whose features are weighed: a file of XGBoost (JSON) or LightGBM (text), its bytes, or
                {"intercept": 0.0, "weights": {column: weight}}; for any other see `attribution`

    Raises ValueError for options that make no sense, TypeError for columns that cannot be compared.
    """
    options = {
        "name": name,
        "columns": _names("columns", columns),
        "detectors": _names("detectors", detectors),
        "bins": bins if isinstance(bins, (int, str)) else [float(cut) for cut in bins],
        "alpha": alpha,
        "correction": correction,
        "customary": customary,
        "deviations": None if deviations is None else float(deviations),
        "by": by,
        "time": time,
        "every": f"{every} rows" if isinstance(every, int) else every,
        "target": target,
        "prediction": prediction,
        "score": score,
        "scores": [(str(key), column) for key, column in (scores or {}).items()],
        "value": _worth(value),
        "protected": protected,
        "query": query,
        "top": top,
        "quantile": None if quantile is None else float(quantile),
        "experiment": _experiment(experiment),
        "model": _model(model),
    }
    before = _frames.table(reference, "the reference")
    now = _frames.table(current, "the current data")
    return Outcome(_native.drift(before, now, options))


def monitors(reference: Any, current: Any, config: Union[str, "os.PathLike[str]"]) -> List[Outcome]:
    """Runs the monitors of a YAML file (a path) or of YAML text; one outcome each."""
    text = config if isinstance(config, str) else None
    if text is None or "\n" not in text:
        with open(config, encoding="utf-8") as file:
            text = file.read()
    before = _frames.table(reference, "the reference")
    now = _frames.table(current, "the current data")
    return [Outcome(found) for found in _native.monitors(before, now, text)]


def attribution(
    model: Callable[[Any], Any],
    reference: Any,
    current: Any,
    *,
    columns: Optional[Sequence[str]] = None,
    rows: int = 200,
    orders: int = 20,
) -> Attribution:
    """What each feature means to any model, before and now, by drawing orders of features.

    model:   takes a NumPy array of rows and columns, gives a number for each row
    columns: the features in the model's order; all of the reference where none are named
    rows:    of each table, drawn evenly and always the same
    orders:  drawn for each row; the model is asked for rows * orders * (columns + 1) of them

    What the model raises comes through. For files of XGBoost and LightGBM and for linear models
    `drift(..., model=...)` is exact and faster.
    """
    import numpy

    def ask(asked: bytes) -> List[float]:
        matrix = numpy.frombuffer(asked).reshape(-1, len(names))
        return numpy.asarray(model(matrix), dtype="f8").ravel().tolist()

    before = _frames.table(reference, "the reference")
    now = _frames.table(current, "the current data")
    names = _names("columns", columns) or _native.column_names(before)
    return attribution_of(json.loads(_native.attribution(ask, (before, now), names, rows, orders)))


def detectors() -> List[Detector]:
    """The detectors that `drift` takes, each with what it is for and what not."""
    return [Detector(*entry[:4]) for entry in _native.catalogue() if entry[4]]


def catalogue() -> List[Detector]:
    """All that is computed, detectors first, each with its formula and source; `kind` is the heading."""
    return [Detector(*entry[:4]) for entry in _native.catalogue()]


_DECISIONS = ("true_positive", "false_positive", "false_negative", "true_negative")


def _worth(value: Optional[Mapping[str, float]]) -> Optional[Dict[str, float]]:
    if value is None:
        return None
    for key in value:
        if key not in _DECISIONS:
            raise ValueError(f"no decision is called {key!r}; there are {', '.join(_DECISIONS)}")
    return {key: float(value.get(key, 0.0)) for key in _DECISIONS}


_EXPERIMENT = ("metrics", "shares", "level", "scale")


def _experiment(plan: Union[str, Sequence[str], Mapping[str, Any], None]) -> Optional[Dict[str, Any]]:
    if plan is None:
        return None
    given: Mapping[str, Any] = plan if isinstance(plan, Mapping) else {"metrics": plan}
    for key in given:
        if key not in _EXPERIMENT:
            raise ValueError(f"an experiment has no {key!r}; it has {', '.join(_EXPERIMENT)}")
    shares = [float(share) for share in given.get("shares", (0.5, 0.5))]
    if len(shares) != 2:
        raise ValueError("the shares of an experiment are two: of control and treatment")
    scale = given.get("scale")
    return {
        "metrics": _names("metrics", given.get("metrics")),
        "shares": shares,
        "level": float(given.get("level", 0.05)),
        "scale": None if scale is None else float(scale),
    }


def _model(model: Any) -> Optional[bytes]:
    if model is None or isinstance(model, bytes):
        return model
    if isinstance(model, Mapping):
        return json.dumps(dict(model), default=float).encode()
    if callable(model):
        raise TypeError("a model that is called is for trefoil.attribution")
    with open(model, "rb") as file:
        return file.read()


def _names(what: str, names: Union[str, Sequence[str], None]) -> List[str]:
    names = [names] if isinstance(names, str) else list(names or [])
    if not all(isinstance(one, str) for one in names):
        raise TypeError(f"{what} are names, not {names!r}")
    return names
