"""Columns of vectors, however they are held."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trefoil

ROWS, WIDTH = 2000, 16


def vectors(seed, moved=0.0):
    return (np.random.default_rng(seed).normal(size=(ROWS, WIDTH)) + moved).astype("f4")


REFERENCE, SAME, MOVED = vectors(1), vectors(2), vectors(3, 0.3)


def arrow(values, kind):
    flat = pa.array(values.reshape(-1))
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, WIDTH)
    offsets = np.arange(0, values.size + 1, WIDTH, dtype="i8" if kind == "large" else "i4")
    lists = pa.LargeListArray if kind == "large" else pa.ListArray
    return lists.from_arrays(pa.array(offsets), flat)


HOLDERS = {
    "numpy": lambda values: {"vector": values},
    "numpy of other order": lambda values: {"vector": np.asfortranarray(values)},
    "numpy of objects": lambda values: {"vector": np.array(list(values) + [None], dtype=object)[:-1]},
    "lists": lambda values: {"vector": values.tolist()},
    "pandas": lambda values: pd.DataFrame({"vector": list(values)}),
    "pandas of lists": lambda values: pd.DataFrame({"vector": values.tolist()}),
    "polars lists": lambda values: pl.DataFrame({"vector": values.tolist()}),
    "polars arrays": lambda values: pl.DataFrame({"vector": values}),
    "polars series": lambda values: {"vector": pl.Series(values.tolist())},
    "arrow fixed": lambda values: pa.table({"vector": arrow(values, "fixed")}),
    "arrow lists": lambda values: {"vector": arrow(values, "small")},
    "arrow large lists in chunks": lambda values: pa.concat_tables(
        [pa.table({"vector": arrow(part, "large")}) for part in (values[:700], values[700:])]
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_gives_the_same_numbers(holder):
    hold = HOLDERS[holder]
    found = trefoil.drift(hold(REFERENCE), hold(MOVED), detectors="all")["vector"]
    expected = trefoil.drift({"vector": REFERENCE}, {"vector": MOVED}, detectors="all")["vector"]
    assert found.kind == "embedding" and found.drifted and found.embedding.width == WIDTH
    for ours, theirs in zip(found.measures, expected.measures):
        assert (ours.detector, ours.drifted) == (theirs.detector, True)
        assert ours.value == pytest.approx(theirs.value, rel=1e-9), ours.detector
    moved = np.linalg.norm(REFERENCE.astype("f8").mean(axis=0) - MOVED.astype("f8").mean(axis=0))
    assert found.embedding.moved == pytest.approx(moved, rel=1e-9)
    assert not trefoil.drift(hold(REFERENCE), hold(SAME)).drifted


def test_rows_that_are_no_vectors_are_findings():
    broken = [None] * 100 + [[1.0, 2.0]] + SAME[101:].tolist()
    broken[200] = [float("nan")] * WIDTH
    outcome = trefoil.drift({"vector": REFERENCE}, {"vector": broken})
    assert outcome["vector"].findings == (
        "missing in 5.00 % of the rows, was 0.00 %",
        "1 rows (0.05 %) hold vectors of another length than 16, such as 2",
        "NaN in 0.05 % of the rows, was 0.00 %",
    )
    assert not outcome.drifted
    narrow = trefoil.drift({"vector": REFERENCE}, {"vector": MOVED[:, :8]})
    assert narrow["vector"].findings == ("type vectors of 8, was vectors of 16",)


def test_vectors_lie_beside_other_columns():
    ages = np.random.default_rng(4).normal(40, 9, ROWS)
    table = {"age": ages, "vector": REFERENCE}
    outcome = trefoil.drift(table, {"age": ages, "vector": MOVED}, every=500)
    assert outcome.overall.drifted_columns == ["vector"] and outcome.overall.compared == 2
    assert len(outcome.drifted_windows) == 4
    assert "most moved: component" in str(outcome)
    assert "Rows by their distance" in outcome.to_html()
    kinds = {one.name: one.kind for one in trefoil.detectors() if one.kind == "embedding"}
    assert set(kinds) == {"centroid_euclidean", "centroid_cosine", "drifted_components", "mmd"}


def test_a_square_of_numbers_is_a_table_and_in_a_dictionary_a_column():
    assert trefoil.drift(REFERENCE, SAME).overall.compared == WIDTH
    assert trefoil.drift({"x": REFERENCE}, {"x": SAME}).overall.compared == 1
    for wrong in (np.zeros((3, 2), "?"), np.zeros((3, 2, 2)), np.zeros((3, 2), "M8[s]")):
        with pytest.raises(TypeError, match="x"):
            trefoil.drift({"x": wrong}, {"x": wrong})


def test_vectors_are_not_copied():
    """In a process of its own: the peak of a process never goes down again."""
    program = """
import json, resource, numpy, trefoil
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
vectors = numpy.random.default_rng(1).random((400_000, 64), dtype="f4")
before = peak()
trefoil.drift({"v": vectors}, {"v": vectors})
print(json.dumps([vectors.nbytes / 2**20, peak() - before]))
"""
    size, more = json.loads(subprocess.check_output([sys.executable, "-c", program]))
    assert more < size / 2, (size, more)
