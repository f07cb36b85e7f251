"""What was found, as typed objects. They are views of one dictionary, `Outcome.to_dict()`."""

from __future__ import annotations

import html
import json
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Detector:
    """A detector, or another thing that is computed."""

    name: str
    title: str
    #: "column", "embedding", "columns together" or "row by row"; of the catalogue, any heading.
    kind: str
    documentation: str


@dataclass(frozen=True)
class Bin:
    """Shares of rows in one bin."""

    label: str
    reference: float
    current: float


@dataclass(frozen=True)
class Measure:
    """What one detector says of a column."""

    detector: str
    value: float
    #: The chance of this or a greater value without drift, at these numbers of rows.
    probability: float
    #: How large the difference is, whatever the number of rows.
    effect: float
    drifted: bool
    #: What it was held against: {"value_at_least": x} or {"probability_below": x}.
    rule: Mapping[str, float]


@dataclass(frozen=True)
class Component:
    """A component of vectors: its mean before and now, and the way in standard deviations."""

    place: int
    reference: float
    current: float
    shift: float


@dataclass(frozen=True)
class Embedding:
    """What changed in a column of vectors. Its bins are of distances from the reference's centroid."""

    #: Numbers of a vector.
    width: int
    #: (mean, standard deviation) of the distance from the reference's centroid, before and now.
    distances: Tuple[Tuple[float, float], Tuple[float, float]]
    #: How far the centroid moved.
    moved: float
    #: Those whose mean moved most.
    components: Tuple[Component, ...]


@dataclass(frozen=True)
class Column:
    """The outcome for one column."""

    name: str
    kind: Optional[str]
    drifted: bool
    measures: Tuple[Measure, ...]
    #: Data quality, in words.
    findings: Tuple[str, ...]
    bins: Tuple[Bin, ...]
    #: (mean, standard deviation) before and now, of numbers.
    moments: Optional[Tuple[Tuple[float, float], Tuple[float, float]]]
    #: What changed, of vectors.
    embedding: Optional[Embedding]
    error: Optional[str]

    def __getitem__(self, detector: str) -> Measure:
        for measure in self.measures:
            if measure.detector == detector:
                return measure
        raise KeyError(f"{self.name} was not measured by {detector}")


@dataclass(frozen=True)
class Report:
    """All columns: drifted first, then by effect."""

    drifted: int
    compared: int
    #: Rows of the reference and of the current data.
    rows: Tuple[int, int]
    columns: Tuple[Column, ...]

    @property
    def drifted_columns(self) -> List[str]:
        return [column.name for column in self.columns if column.drifted]

    def __getitem__(self, column: str) -> Column:
        for one in self.columns:
            if one.name == column:
                return one
        raise KeyError(f"{column} was not compared")


@dataclass(frozen=True)
class Part:
    """A window or a segment."""

    name: str
    report: Report
    #: Of a segment: the model in it, each metric with one point.
    performance: Optional[Performance] = None

    @property
    def drifted(self) -> bool:
        return self.report.drifted > 0


@dataclass(frozen=True)
class Estimate:
    """A metric without labels, with its band of three standard errors."""

    value: float
    sampling_error: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Band:
    """Where the metric lies on the reference."""

    lower: Optional[float]
    upper: Optional[float]


@dataclass(frozen=True)
class Point:
    """A metric of one window."""

    window: str
    realized: Optional[float]
    #: Share of the rows that have a label.
    labelled: float
    estimate: Optional[Estimate]
    alert: bool


@dataclass(frozen=True)
class Metric:
    """A metric over windows."""

    name: str
    band: Band
    reference: float
    points: Tuple[Point, ...]


@dataclass(frozen=True)
class Confusion:
    """Rows by label and decision."""

    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float


@dataclass(frozen=True)
class AtThreshold:
    """What decisions are like if scores from a threshold on are positive."""

    threshold: float
    confusion: Confusion
    precision: Optional[float]
    recall: Optional[float]
    specificity: Optional[float]
    f1: Optional[float]
    mcc: float
    #: What a decision is worth, where `value` was given.
    value: Optional[float] = None


@dataclass(frozen=True)
class ByThreshold:
    """The decisions of one side."""

    rows: int
    #: Whether counts are expected ones, since no row has a label.
    estimated: bool
    decided: AtThreshold
    best_f1: Optional[AtThreshold]
    #: From the least threshold to the greatest.
    points: Tuple[AtThreshold, ...]
    best_value: Optional[AtThreshold] = None


@dataclass(frozen=True)
class Thresholds:
    """Decisions by threshold, before and now."""

    #: The threshold in use; None where decisions do not follow from the score.
    used: Optional[float]
    reference: ByThreshold
    current: ByThreshold


@dataclass(frozen=True)
class Classes:
    """What each class was taken for: rows by true class (outer) and decision (inner)."""

    names: Tuple[str, ...]
    reference: Tuple[Tuple[int, ...], ...]
    current: Optional[Tuple[Tuple[int, ...], ...]]


@dataclass(frozen=True)
class Performance:
    """Performance, metric by metric."""

    task: str
    metrics: Tuple[Metric, ...]
    #: The quantile that is predicted.
    quantile: Optional[float] = None
    #: The places of a ranking that are looked at.
    top: Optional[int] = None
    #: Of two classes, over all rows.
    thresholds: Optional[Thresholds] = None
    #: Of more classes, over all rows.
    classes: Optional[Classes] = None

    def __getitem__(self, metric: str) -> Metric:
        for one in self.metrics:
            if one.name == metric:
                return one
        raise KeyError(f"{metric} was not measured")


@dataclass(frozen=True)
class Together:
    """What a detector of several columns says of some rows."""

    name: str
    value: float
    probability: Optional[float]
    drifted: bool


@dataclass(frozen=True)
class Multivariate:
    """A detector of several columns: all rows, and window by window."""

    detector: str
    overall: Together
    band: Optional[Band]
    windows: Tuple[Together, ...]


@dataclass(frozen=True)
class Correlation:
    """Two columns whose correlation has changed."""

    left: str
    right: str
    reference: float
    current: float
    probability: float


@dataclass(frozen=True)
class Alarm:
    """A row, in the order of time, at which a sequential detector alarmed."""

    row: int
    at: Optional[str]


@dataclass(frozen=True)
class Stream:
    """What a sequential detector says of a column, or of the model's mistakes."""

    detector: str
    column: str
    rows: int
    alarms: Tuple[Alarm, ...]


@dataclass(frozen=True)
class Group:
    """Rates of one group of people."""

    name: str
    rows: int
    selection: Optional[float]
    recall: Optional[float]
    false_positive_rate: Optional[float]


@dataclass(frozen=True)
class Rates:
    """Rates of all groups, and how far they lie apart."""

    groups: Tuple[Group, ...]
    demographic_parity: Optional[float]
    equal_opportunity: Optional[float]
    equalised_odds: Optional[float]


@dataclass(frozen=True)
class Groups:
    """Fairness before and now."""

    column: str
    reference: Rates
    current: Rates


@dataclass(frozen=True)
class Arm:
    """A variant of an experiment: rows with a value, their mean and variance."""

    rows: float
    mean: float
    variance: float


@dataclass(frozen=True)
class Difference:
    """Treatment minus control, with its interval and the chance of it without an effect."""

    value: float
    lower: float
    upper: float
    probability: float


@dataclass(frozen=True)
class Look:
    """The always-valid difference after a window, as it was seen then."""

    window: str
    rows: Tuple[int, int]
    difference: Difference


@dataclass(frozen=True)
class Compared:
    """A metric of both variants."""

    metric: str
    conversion: bool
    control: Arm
    treatment: Arm
    level: float
    scale: float
    #: Welch's, for who looks once.
    difference: Optional[Difference]
    #: The sequential test's, for who looks again and again.
    always_valid: Optional[Difference]
    #: By the sequential test: "higher", "lower" or "undecided".
    verdict: str
    looks: Tuple[Look, ...]


@dataclass(frozen=True)
class SampleRatio:
    """Whether the variants got the rows that they should have."""

    rows: Tuple[int, int]
    expected: float
    observed: float
    probability: float
    mismatch: bool


@dataclass(frozen=True)
class ExperimentSegment:
    """The metrics in a segment."""

    name: str
    metrics: Tuple[Compared, ...]


@dataclass(frozen=True)
class Experiment:
    """The reference as control, the current rows as treatment."""

    level: float
    sample_ratio: SampleRatio
    metrics: Tuple[Compared, ...]
    segments: Tuple[ExperimentSegment, ...]

    def __getitem__(self, metric: str) -> Compared:
        for one in self.metrics:
            if one.metric == metric:
                return one
        raise KeyError(f"{metric} is no metric of the experiment")


@dataclass(frozen=True)
class Feature:
    """What a feature means to the model: the mean size of its contributions."""

    name: str
    reference: float
    current: float
    reference_share: float
    current_share: float
    reference_rank: int
    current_rank: int
    #: Whether its column drifted, where it was compared.
    column_drifted: Optional[bool]


@dataclass(frozen=True)
class Attribution:
    """What the model listens to, before and now."""

    #: "linear", "trees" or "permutation".
    kind: str
    #: Rows of both tables that were explained.
    rows: Tuple[int, int]
    #: NDCG of the order of now by what features meant on the reference.
    agreement: float
    #: Whether the agreement is below 0.9.
    drifted: bool
    #: Most important on the reference first.
    features: Tuple[Feature, ...]

    def __getitem__(self, feature: str) -> Feature:
        for one in self.features:
            if one.name == feature:
                return one
        raise KeyError(f"{feature} is no feature of the model")


class Outcome:
    """Everything that was found. In a notebook it shows the report; `print` gives the table."""

    name: str
    overall: Report
    windows: Tuple[Part, ...]
    segments: Tuple[Part, ...]
    performance: Optional[Performance]
    multivariate: Tuple[Multivariate, ...]
    correlations: Tuple[Correlation, ...]
    streams: Tuple[Stream, ...]
    fairness: Optional[Groups]
    experiment: Optional[Experiment]
    attribution: Optional[Attribution]
    #: Rows of the current data that occur before; None where they were not looked for.
    duplicates: Optional[int]
    #: What was left out, and why.
    notes: Tuple[str, ...]

    def __init__(self, found: Any) -> None:
        self._found = found
        self._dict: Dict[str, Any] = json.loads(found.json())
        findings = dict(found.findings())
        self.name = self._dict["name"]
        self.overall = _report(self._dict["overall"], findings)
        self.windows = tuple(_part(part) for part in self._dict["windows"])
        self.segments = tuple(_part(part) for part in self._dict["segments"])
        self.performance = _performance(self._dict["performance"])
        self.multivariate = tuple(_multivariate(one) for one in self._dict["multivariate"])
        self.correlations = tuple(Correlation(**one) for one in self._dict["correlations"])
        self.streams = tuple(
            Stream(**{**one, "alarms": tuple(Alarm(**alarm) for alarm in one["alarms"])})
            for one in self._dict["streams"]
        )
        self.fairness = _groups(self._dict["fairness"])
        self.experiment = _experiment(self._dict.get("experiment"))
        attribution = self._dict.get("attribution")
        self.attribution = attribution and attribution_of(attribution)
        self.duplicates = self._dict["duplicates"]
        self.notes = tuple(self._dict["notes"])

    @property
    def drifted(self) -> bool:
        """Whether anything drifted: a column overall or in any window, columns together, a stream."""
        return self._found.drifted()

    @property
    def degraded(self) -> bool:
        """Whether any performance metric left its band."""
        return self._found.degraded()

    @property
    def decided(self) -> bool:
        """Whether an experiment found a difference, or rows split as they should not be."""
        return self._found.decided()

    @property
    def columns(self) -> Tuple[Column, ...]:
        return self.overall.columns

    @property
    def drifted_columns(self) -> List[str]:
        """Names of the columns that drifted overall."""
        return self.overall.drifted_columns

    @property
    def drifted_windows(self) -> List[str]:
        """Names of the windows in which any column drifted."""
        return [window.name for window in self.windows if window.drifted]

    def __getitem__(self, column: str) -> Column:
        return self.overall[column]

    def to_dict(self) -> Dict[str, Any]:
        """Everything, as `trefoil drift --json` prints it."""
        return json.loads(self._found.json())

    def to_json(self) -> str:
        return self._found.json()

    def to_html(self, path: Any = None) -> str:
        """The report as one page that needs nothing else; written to `path` where one is named."""
        page = self._found.html()
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        return page

    def _repr_html_(self) -> str:
        # A frame of its own, so that the page's style and the notebook's do not meet.
        page = html.escape(self.to_html(), quote=True)
        return (
            f'<iframe title="drift report" srcdoc="{page}" sandbox="" '
            'style="width:100%;height:720px;border:0"></iframe>'
        )

    def __str__(self) -> str:
        return self._found.text(sys.stdout.isatty()).rstrip("\n")

    def __repr__(self) -> str:
        return (
            f"<trefoil.Outcome {self.name!r}: {self.overall.drifted} of {self.overall.compared} "
            f"columns drifted>"
        )


def _measure(raw: Dict[str, Any]) -> Measure:
    # A number that is none (NaN, infinite) is null in JSON.
    number = {key: _number(raw[key]) for key in ("value", "probability", "effect")}
    return Measure(raw["detector"], **number, drifted=raw["drifted"], rule=raw["rule"])


def _number(value: Optional[float]) -> float:
    return float("nan") if value is None else value


def _column(raw: Dict[str, Any], findings: Mapping[str, List[str]]) -> Column:
    said = findings.get(raw["name"])
    moments = raw["moments"]
    return Column(
        name=raw["name"],
        kind=raw["kind"],
        drifted=raw["drifted"],
        measures=tuple(_measure(one) for one in raw["measures"]),
        findings=tuple(said if said is not None else (one["check"] for one in raw["findings"])),
        bins=tuple(Bin(**one) for one in raw["bins"]),
        moments=moments and (tuple(moments[0]), tuple(moments[1])),
        embedding=_embedding(raw.get("embedding")),
        error=raw["error"],
    )


def _embedding(raw: Optional[Dict[str, Any]]) -> Optional[Embedding]:
    if raw is None:
        return None
    before, now = raw["distances"]
    components = tuple(Component(**one) for one in raw["components"])
    return Embedding(raw["width"], (tuple(before), tuple(now)), raw["moved"], components)


def _report(raw: Dict[str, Any], findings: Mapping[str, List[str]]) -> Report:
    columns = tuple(_column(one, findings) for one in raw["columns"])
    return Report(raw["drifted"], raw["compared"], tuple(raw["rows"]), columns)


def _part(raw: Dict[str, Any]) -> Part:
    return Part(raw["name"], _report(raw["report"], {}), _performance(raw.get("performance")))


def _performance(raw: Optional[Dict[str, Any]]) -> Optional[Performance]:
    if raw is None:
        return None
    metrics = []
    for one in raw["metrics"]:
        points = []
        for point in one["points"]:
            estimate = point["estimate"] and Estimate(**point["estimate"])
            points.append(Point(**{**point, "estimate": estimate}))
        band = Band(**one["band"])
        metrics.append(Metric(one["name"], band, _number(one["reference"]), tuple(points)))
    return Performance(
        raw["task"],
        tuple(metrics),
        raw.get("quantile"),
        raw.get("top"),
        _thresholds(raw.get("thresholds")),
        _classes(raw.get("classes")),
    )


def _thresholds(raw: Optional[Dict[str, Any]]) -> Optional[Thresholds]:
    if raw is None:
        return None

    def at(one: Optional[Dict[str, Any]]) -> Optional[AtThreshold]:
        if one is None:
            return None
        threshold = _number(one["threshold"])
        return AtThreshold(**{**one, "threshold": threshold, "confusion": Confusion(**one["confusion"])})

    def side(one: Dict[str, Any]) -> ByThreshold:
        best = {"best_f1": at(one["best_f1"]), "best_value": at(one.get("best_value"))}
        points = tuple(map(at, one["points"]))
        return ByThreshold(**{**one, **best, "decided": at(one["decided"]), "points": points})

    return Thresholds(raw["used"], side(raw["reference"]), side(raw["current"]))


def _classes(raw: Optional[Dict[str, Any]]) -> Optional[Classes]:
    if raw is None:
        return None

    def matrix(counts: Any) -> Any:
        return counts and tuple(tuple(row) for row in counts)

    return Classes(tuple(raw["names"]), matrix(raw["reference"]), matrix(raw["current"]))


def _experiment(raw: Optional[Dict[str, Any]]) -> Optional[Experiment]:
    if raw is None:
        return None

    def arm(one: Dict[str, Any]) -> Arm:
        return Arm(one["rows"], _number(one["mean"]), _number(one["variance"]))

    def look(one: Dict[str, Any]) -> Look:
        names = ("value", "lower", "upper", "probability")
        return Look(one["window"], tuple(one["rows"]), Difference(*(one[name] for name in names)))

    def compared(one: Dict[str, Any]) -> Compared:
        tests = {name: one[name] and Difference(**one[name]) for name in ("difference", "always_valid")}
        arms = {name: arm(one[name]) for name in ("control", "treatment")}
        looks = tuple(map(look, one.get("looks", ())))
        return Compared(**{**one, **tests, **arms, "looks": looks, "scale": _number(one["scale"])})

    ratio = SampleRatio(**{**raw["sample_ratio"], "rows": tuple(raw["sample_ratio"]["rows"])})
    metrics = tuple(map(compared, raw["metrics"]))
    segments = tuple(
        ExperimentSegment(one["name"], tuple(map(compared, one["metrics"]))) for one in raw["segments"]
    )
    return Experiment(raw["level"], ratio, metrics, segments)


def attribution_of(raw: Dict[str, Any]) -> Attribution:
    features = tuple(Feature(**one) for one in raw["features"])
    return Attribution(**{**raw, "rows": tuple(raw["rows"]), "features": features})


def _together(raw: Dict[str, Any]) -> Together:
    return Together(**{**raw, "value": _number(raw["value"])})


def _multivariate(raw: Dict[str, Any]) -> Multivariate:
    windows = tuple(_together(window) for window in raw["windows"])
    band = raw["band"] and Band(**raw["band"])
    return Multivariate(raw["detector"], _together(raw["overall"]), band, windows)


def _groups(raw: Optional[Dict[str, Any]]) -> Optional[Groups]:
    if raw is None:
        return None

    def rates(side: Dict[str, Any]) -> Rates:
        return Rates(**{**side, "groups": tuple(Group(**group) for group in side["groups"])})

    return Groups(raw["column"], rates(raw["reference"]), rates(raw["current"]))
