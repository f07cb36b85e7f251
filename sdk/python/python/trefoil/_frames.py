"""Tables of other libraries as what the Rust half takes.

That is an object with Arrow's PyCapsule interface, or a list of names and columns: Arrow arrays,
NumPy arrays (of two dimensions for vectors), (codes, categories), (numbers, lengths), lists of texts. No library is imported that the caller has not
imported already.
"""

from __future__ import annotations

import os
import sys
from typing import Any, List, Mapping, Tuple

Columns = List[Tuple[str, Any]]


def table(data: Any, what: str) -> Any:
    """A whole table."""
    if _is(data, "pandas", "DataFrame"):
        repeated = data.columns[data.columns.duplicated()]
        if len(repeated):
            raise ValueError(f"{what} has several columns called {repeated[0]!r}")
        return [(str(name), _pandas(data[name])) for name in data.columns]
    if _is(data, "polars", "LazyFrame"):
        raise TypeError(f"{what} is a LazyFrame: call collect() on it first")
    if _is(data, "pandas", "Series") or _is(data, "polars", "Series"):
        return [(str(data.name or "value"), column(data))]
    if _is(data, "numpy", "ndarray"):
        return _numpy_table(data, what)
    if hasattr(data, "__arrow_c_stream__") and not _is(data, "pyarrow", "ChunkedArray"):
        return data
    if hasattr(data, "schema") and hasattr(data, "__arrow_c_array__"):
        return data
    if isinstance(data, (str, bytes, os.PathLike)):
        raise TypeError(f"{what} is the name {data!r}: read the file first, with Polars or pandas")
    if isinstance(data, Mapping):
        if not data:
            raise ValueError(f"{what} has no columns")
        return [(str(name), column(values)) for name, values in data.items()]
    if hasattr(data, "__arrow_c_array__") or _is(data, "pyarrow", "ChunkedArray"):
        return [("value", column(data))]
    if isinstance(data, (list, tuple)) and data and not isinstance(data[0], (list, tuple, dict)):
        return [("value", column(data))]
    raise TypeError(
        f"{what} is a {type(data).__module__}.{type(data).__qualname__}; it must be a pandas or "
        "Polars frame, a NumPy array, an Arrow table, or a dictionary of columns"
    )


def column(values: Any) -> Any:
    """One column."""
    if _is(values, "pandas", "Series"):
        return _pandas(values)
    if _is(values, "pandas", "Index"):
        return _pandas(values.to_series())
    if _is(values, "polars", "Series"):
        if "pyarrow" in sys.modules:
            return values.to_arrow()
        return values.to_frame() if values.dtype.is_nested() else _polars_texts(values)
    if _is(values, "pyarrow", "ChunkedArray"):
        return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if hasattr(values, "__arrow_c_array__"):
        return values
    if _is(values, "numpy", "ndarray"):
        return _numpy(values)
    if isinstance(values, (list, tuple)):
        return _list(values)
    raise TypeError(f"a column cannot be a {type(values).__module__}.{type(values).__qualname__}")


def _is(value: Any, library: str, name: str) -> bool:
    module = sys.modules.get(library)
    kind = getattr(module, name, None)
    return kind is not None and isinstance(value, kind)


def _polars_texts(values: Any) -> Any:
    if values.dtype.is_numeric() and values.null_count() == 0:
        return _numpy(values.to_numpy(allow_copy=True))
    return _list(values.to_list())


def _numpy_table(data: Any, what: str) -> Columns:
    if data.dtype.names:
        return [(name, _numpy(data[name])) for name in data.dtype.names]
    if data.ndim == 1:
        return [("value", _numpy(data))]
    if data.ndim == 2:
        return [(str(place), _numpy(data[:, place])) for place in range(data.shape[1])]
    raise TypeError(f"{what} has {data.ndim} dimensions; a table has two")


def _numpy(values: Any) -> Any:
    """Numbers where they lie; what lies scattered or in a foreign byte order in one piece."""
    import numpy

    dtype = values.dtype
    if dtype.kind in "OUST":
        return _list(list(values))
    if dtype.kind in "Mm" and numpy.datetime_data(dtype)[0] not in ("s", "ms", "us", "ns"):
        values = values.astype(f"{dtype.kind}8[s]")
    elif dtype.kind == "f" and dtype.itemsize > 8:
        values = values.astype("f8")
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return numpy.require(values, requirements=["C", "A"])


def _pandas(series: Any) -> Any:
    import numpy

    dtype = series.dtype
    if isinstance(dtype, numpy.dtype) and dtype.kind != "O":
        return _numpy(series.to_numpy())
    if hasattr(series, "cat"):
        codes = series.cat.codes.to_numpy().astype("i4")
        return codes, [str(name) for name in series.cat.categories]
    if getattr(dtype, "tz", None) is not None:
        return _numpy(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    array = series.array
    if hasattr(array, "__arrow_array__") and dtype != object:
        try:
            return column(array.__arrow_array__())
        except ImportError:
            pass
    kind = getattr(dtype, "kind", "O")
    if kind in "iuf":
        return series.to_numpy(dtype="f8", na_value=float("nan"))
    present = series.notna().to_numpy()
    return _list([value if there else None for value, there in zip(series.tolist(), present)])


def _list(values: Any) -> Any:
    """Numbers if all are, vectors if all are lists of numbers, texts otherwise."""
    import array

    kinds = {type(value) for value in values if value is not None}
    if kinds and all(kind in (list, tuple) or _is_numpy(kind) for kind in kinds):
        return _vectors(values, kinds)
    if kinds and kinds <= {int, float}:
        if None not in values or float in kinds:
            numbers = [float("nan") if value is None else value for value in values]
            return _Numbers(array.array("d", numbers))
    return [None if value is None else _text(value) for value in values]


def _is_numpy(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind, numpy.ndarray)


def _vectors(values: Any, kinds: Any) -> Any:
    """Numbers one vector after the other, and how long each is."""
    import array

    lengths = [None if value is None else len(value) for value in values]
    present = [value for value in values if value is not None]
    if all(_is_numpy(kind) for kind in kinds):
        import numpy

        return _numpy(numpy.concatenate(present)), lengths
    numbers = array.array("d")
    for value in present:
        numbers.extend(float("nan") if one is None else float(one) for one in value)
    return _Numbers(numbers), lengths


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class _Numbers:
    """Python's own array, told the way NumPy tells."""

    def __init__(self, numbers: Any) -> None:
        self._numbers = numbers
        address, length = numbers.buffer_info()
        order = "<" if sys.byteorder == "little" else ">"
        self.__array_interface__ = {
            "typestr": f"{order}f8",
            "shape": (length,),
            "strides": None,
            "data": (address, True),
            "version": 3,
        }
