"""The same data, however it is held, gives the same numbers."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trefoil

ROWS = 4000


def columns(seed, shift):
    random = np.random.default_rng(seed)
    return {
        "age": random.normal(40, 10, ROWS),
        "income": random.normal(0, 1, ROWS) + shift,
        "visits": random.poisson(3, ROWS).astype("i4"),
        "member": random.random(ROWS) < 0.4,
        "city": random.choice(["Bern", "Graz", "Lyon"], ROWS),
    }


REFERENCE, CURRENT = columns(1, 0.0), columns(2, 0.6)

HOLDERS = {
    "dictionary of numpy": lambda data: data,
    "dictionary of lists": lambda data: {name: list(values.tolist()) for name, values in data.items()},
    "pandas": pd.DataFrame,
    "pandas with arrow": lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
    "pandas with nullable types": lambda data: pd.DataFrame(data).convert_dtypes(),
    "pandas with objects": lambda data: pd.DataFrame(data).astype(object),
    "polars": pl.DataFrame,
    "dictionary of polars": lambda data: pl.DataFrame(data).to_dict(),
    "arrow table": pa.table,
    "arrow in chunks": lambda data: pa.concat_tables(
        [pa.table(data).slice(0, 1000), pa.table(data).slice(1000)]
    ),
    "arrow batch": pa.RecordBatch.from_pydict,
    "arrow reader": lambda data: pa.table(data).to_reader(max_chunksize=512),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_gives_the_same_numbers(holder):
    expected = trefoil.drift(REFERENCE, CURRENT, detectors="all").to_dict()
    hold = HOLDERS[holder]
    found = trefoil.drift(hold(REFERENCE), hold(CURRENT), detectors="all").to_dict()
    assert found["overall"]["drifted"] == 1
    assert [c["name"] for c in found["overall"]["columns"]] == [
        c["name"] for c in expected["overall"]["columns"]
    ]
    for ours, theirs in zip(found["overall"]["columns"], expected["overall"]["columns"]):
        assert [m["detector"] for m in ours["measures"]] == [m["detector"] for m in theirs["measures"]]
        for one, other in zip(ours["measures"], theirs["measures"]):
            assert one["value"] == pytest.approx(other["value"], rel=1e-12, abs=1e-15), one["detector"]


@pytest.mark.parametrize(
    "dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", ">f8", ">i4", "?"]
)
def test_every_numpy_type_of_numbers(dtype):
    values = np.arange(200).astype(dtype) % 100 if dtype != "?" else np.arange(200) % 3 == 0
    outcome = trefoil.drift({"x": values}, {"x": values}, bins=4, columns=["x"])
    assert outcome["x"]["psi"].value == 0.0


def test_numpy_in_two_dimensions_and_scattered_in_memory():
    square = np.asfortranarray(np.random.default_rng(3).normal(size=(500, 6)))
    for table in (square, np.ascontiguousarray(square), square[::-1, ::-1][::-1, ::-1], square[:, ::2]):
        outcome = trefoil.drift(table, table)
        assert outcome.overall.compared == table.shape[1]
        assert not outcome.drifted


def test_structured_arrays_have_columns():
    table = np.zeros(100, dtype=[("a", "f8"), ("b", "i4")])
    table["a"] = np.arange(100) * 0.5
    outcome = trefoil.drift(table, table)
    assert {column.name for column in outcome.columns} == {"a", "b"}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "D", "h"])
def test_times_make_windows(unit):
    time = np.datetime64("2026-01-01", "D") + np.arange(100).repeat(50) // 10
    frame = {"at": time.astype(f"M8[{unit}]"), "x": np.tile(np.arange(50.0), 100)}
    outcome = trefoil.drift(frame, frame, time="at", every="1d")
    assert [window.name for window in outcome.windows][:2] == ["2026-01-01", "2026-01-02"]
    assert len(outcome.windows) == 10


def test_a_time_that_is_missing_is_in_no_window():
    time = np.array(["2026-01-01", "NaT", "2026-01-02"] * 40, dtype="M8[ns]")
    frame = pd.DataFrame({"at": time, "x": np.arange(120.0) % 7})
    outcome = trefoil.drift(frame, frame, time="at", every="1d")
    assert [window.report.rows[1] for window in outcome.windows] == [40, 40]


def test_times_with_a_zone_and_categories_of_pandas():
    frame = pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=96, freq="h", tz="Europe/Vienna"),
            "kind": pd.Categorical(["a", "b", None, "a"] * 24),
        }
    )
    outcome = trefoil.drift(frame, frame, time="at", every="1d")
    assert len(outcome.windows) == 5, "days are those of UTC"
    shares = {one.label: one.current for one in outcome["kind"].bins}
    assert shares == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}


def test_numbers_are_not_copied():
    import tracemalloc

    values = np.random.default_rng(4).normal(size=2_000_000)
    frame = pd.DataFrame({"x": values})
    tracemalloc.start()
    from trefoil import _frames

    for table in (values, frame, {"x": values}):
        [(_, column)] = _frames.table(table, "the data")
        assert column.__array_interface__["data"][0] == values.__array_interface__["data"][0] or (
            np.shares_memory(column, frame["x"].to_numpy())
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < values.nbytes / 10


def test_arrays_outlive_what_held_them():
    outcomes = []
    for seed in range(20):
        outcomes.append(trefoil.drift(columns(seed, 0.0), columns(seed + 100, 0.0)))
    assert all(outcome.overall.compared == 5 for outcome in outcomes)


REFUSED = [
    (lambda: trefoil.drift(3, 4), TypeError, "the reference is a builtins.int"),
    (lambda: trefoil.drift(REFERENCE, pl.DataFrame(CURRENT).lazy()), TypeError, "collect"),
    (lambda: trefoil.drift(REFERENCE, "current.parquet"), TypeError, "read the file first"),
    (lambda: trefoil.drift({}, CURRENT), ValueError, "the reference has no columns"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, detectors="psy"), ValueError, "psy"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, deviations="some"), ValueError, "some"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, columns=["wage"]), ValueError, "wage"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, columns=[3]), TypeError, "names"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, bins=1), ValueError, "bins"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, bins="many"), ValueError, "bins"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, alpha=2.0), ValueError, "alpha"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, correction="prayer"), ValueError, "prayer"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, every="soon"), ValueError, "soon"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, every="1d"), ValueError, "time column"),
    (lambda: trefoil.drift(REFERENCE, CURRENT, score="p"), ValueError, "'p'|\"p\""),
    (lambda: trefoil.drift(np.zeros((2, 2, 2)), np.zeros((2, 2, 2))), TypeError, "3 dimensions"),
    (lambda: trefoil.drift({"x": [1.0], "y": [1.0, 2.0]}, {"x": [1.0]}), ValueError, "same length|length"),
    (lambda: trefoil.drift({"x": np.zeros(3, "c16")}, {"x": np.zeros(3)}), TypeError, "'x'|\"x\""),
    (lambda: trefoil.drift(pd.DataFrame([[1, 2]], columns=["a", "a"]), CURRENT), ValueError, "'a'"),
    (lambda: trefoil.monitors(REFERENCE, CURRENT, "monitors:\n  - nam: x\n"), ValueError, "nam"),
    (lambda: trefoil.Sequential("oracle"), ValueError, "adwin"),
    (lambda: trefoil.Profile.decode(b"not a profile"), ValueError, "TFPR"),
]


@pytest.mark.parametrize("call, error, words", REFUSED, ids=range(len(REFUSED)))
def test_mistakes_are_told_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    "values",
    [
        np.array([]),
        np.full(10, np.nan),
        np.array([1.0]),
        np.full(1000, 7.0),
        np.array([np.inf, -np.inf, 1.0]),
        np.array([1e308, -1e308] * 50),
        [None, None],
        ["a"],
    ],
    ids=str,
)
def test_odd_columns_give_an_answer(values):
    outcome = trefoil.drift({"x": values}, {"x": values}, detectors="all", columns=["x"])
    assert not outcome.drifted
    outcome = trefoil.drift({"x": np.arange(50.0)}, {"x": values}, detectors="all")
    assert all(math.isfinite(bin.reference) for bin in outcome["x"].bins)
