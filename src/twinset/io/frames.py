"""Data frames of any common kind in, the same kind back. Works without pyarrow."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from narwhals import dependencies as known

from twinset.core.schema import Schema
from twinset.errors import BadInput
from twinset.io.declared import EXACT, dtype_of
from twinset.io.plain import plain

HINT = "give a polars, pandas or pyarrow table"


def to_polars(frame: Any) -> pl.DataFrame:
    """A polars frame of the same cells. NaN becomes null; categories become their values; pandas' index is left behind.

    Takes polars (eager or lazy), pandas and pyarrow tables. Raises BadInput for anything else and for columns that share a name.
    """
    return plain(cells_of(frame))


def cells_of(frame: Any, *, by_cell: bool = False, decimal: str = ".", unit: str = "") -> pl.DataFrame:
    """The same in whatever types polars has for the columns.

    ``by_cell``: each cell of a pandas table becomes a text by itself, in one spelling whatever type pandas gave its column, so that no cell depends on
    another; numbers are written with ``decimal``. The types of polars and Arrow tables are their caller's word and stay. ``unit``: the column that
    names patients, where a number that a float does not hold exactly is a gap.
    """
    if known.is_polars_dataframe(frame):
        return pl.DataFrame(frame)
    if known.is_polars_lazyframe(frame):
        return pl.DataFrame(frame.collect())
    if known.is_pandas_dataframe(frame):
        _unique(list(frame.columns))
        named = [(str(name), frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
        return pl.DataFrame([_texts_in(n, c, decimal, exact=n == unit) if by_cell else _series_in(n, c) for n, c in named])
    if known.is_pyarrow_table(frame):
        _unique(frame.column_names)
        return pl.DataFrame(pl.from_arrow(frame))
    raise BadInput("this is not a data frame we know", where=type(frame).__name__, hint=HINT)


def back(frame: pl.DataFrame, like: Any) -> Any:
    """``frame`` as the kind of table that ``like`` is, with ``like``'s column types where they can hold the cells.

    In pandas, whole numbers and booleans with gaps get nullable types, and the index counts from 0. Raises BadInput for an unknown kind.
    """
    if known.is_polars_dataframe(like):
        return _to_types(frame, like.schema)
    if known.is_polars_lazyframe(like):
        return _to_types(frame, like.collect_schema()).lazy()
    if known.is_pandas_dataframe(like):
        return _to_pandas(frame, like)
    if known.is_pyarrow_table(like):
        return _to_arrow(frame, like)
    raise BadInput("this is not a data frame we know", where=type(like).__name__, hint=HINT)


def back_declared(frame: pl.DataFrame, schema: Schema, like: Any) -> Any:
    """``frame`` in the library that ``like`` is of; its column types are ``schema``'s alone, so that they tell nothing of ``like``'s cells.

    polars: as :func:`twinset.io.declared.dtype_of` says. Arrow: int64, double, bool, string, date32 and timestamp[us]. pandas: Int64, Float64, boolean,
    string and datetime64[us], with and without gaps. Raises BadInput for an unknown kind of table.
    """
    made = pl.DataFrame([frame[n].cast(dtype_of(schema[n]), strict=False) for n in frame.columns])
    if known.is_polars_dataframe(like):
        return made
    if known.is_polars_lazyframe(like):
        return made.lazy()
    if known.is_pandas_dataframe(like):
        import pandas as pd

        names = {str(n): n for n in like.columns}
        return pd.DataFrame({names.get(c.name, c.name): _nullable(c) for c in made.get_columns()}, index=pd.RangeIndex(made.height))
    if known.is_pyarrow_table(like):
        import pyarrow as pa

        table = made.to_arrow()
        types = [pa.string() if pa.types.is_large_string(t) or pa.types.is_string_view(t) else t for t in table.schema.types]
        return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))
    raise BadInput("this is not a data frame we know", where=type(like).__name__, hint=HINT)


def _nullable(series: pl.Series) -> Any:
    """A pandas series whose type follows from the polars type, never from a gap. Works without pyarrow."""
    import pandas as pd

    dtype, gaps = series.dtype, series.is_null().to_numpy().copy()
    if dtype == pl.Boolean:
        return pd.Series(pd.arrays.BooleanArray(series.fill_null(False).to_numpy(allow_copy=True).copy(), gaps))
    if dtype == pl.Int64:
        return pd.Series(pd.arrays.IntegerArray(series.fill_null(0).to_numpy().copy(), gaps))
    if dtype == pl.Float64:
        return pd.Series(pd.arrays.FloatingArray(series.fill_null(0.0).to_numpy().copy(), gaps))
    if dtype in (pl.Date, pl.Datetime):
        stamps = series.cast(pl.Datetime("us")).to_physical().fill_null(0).to_numpy().astype("M8[us]").copy()
        stamps[gaps] = np.datetime64("NaT")
        return pd.Series(stamps)
    return pd.Series(series.to_list(), dtype=pd.StringDtype("python"))


def _to_types(frame: pl.DataFrame, types: pl.Schema) -> pl.DataFrame:
    """The frame with these polars types where they hold every cell."""
    made = []
    for series in frame.get_columns():
        dtype = types.get(series.name, series.dtype)
        if isinstance(dtype, pl.Datetime) and dtype.time_zone and isinstance(series.dtype, pl.Datetime):
            series = series.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
        elif dtype == pl.Duration and series.dtype.is_numeric():
            series = (series * 1e6).round(0).cast(pl.Int64).cast(pl.Duration("us"))
        cast = series.cast(dtype, strict=False) if dtype != series.dtype and dtype != pl.Time else series
        made.append(cast if cast.null_count() == series.null_count() else series)
    return pl.DataFrame(made)


def _unique(names: list[Any]) -> None:
    if len({str(n) for n in names}) != len(names):
        raise BadInput("two columns share a name", hint="give every column a name of its own")


def _series_in(name: str, series: Any) -> pl.Series:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = _series_in(name, pd.Series(dtype.categories))
        codes = pl.Series(name, series.cat.codes.to_numpy().astype(np.int64))
        return levels.gather(codes.replace(-1, None)).alias(name) if len(levels) else pl.Series(name, [None] * len(series), dtype=pl.String)
    gaps = series.isna().to_numpy()
    if isinstance(dtype, pd.DatetimeTZDtype):
        series, dtype = series.dt.tz_convert("UTC").dt.tz_localize(None), np.dtype("M8[ns]")
    kind = getattr(dtype, "kind", "O")
    if kind == "M":
        return _dates_in(name, series.to_numpy().astype("M8[us]"), gaps)
    if kind == "m":
        return pl.Series(name, series.dt.total_seconds().to_numpy(dtype=np.float64)).fill_nan(None)
    if kind in "biuf":
        plain = getattr(dtype, "numpy_dtype", dtype)
        values = series.to_numpy(dtype=plain, na_value=plain.type(0)) if gaps.any() else series.to_numpy(dtype=plain)
        return _gapped(pl.Series(name, np.ascontiguousarray(values)), gaps)
    return _objects_in(name, series, gaps)


def _texts_in(name: str, series: Any, decimal: str, *, exact: bool) -> pl.Series:
    """Every cell as text, by :func:`_cell_text` alone."""
    return pl.Series(name, [_cell_text(cell, decimal, exact) for cell in series.tolist()], dtype=pl.String)


def _cell_text(cell: Any, decimal: str, exact: bool) -> str | None:
    """A cell as text whatever type its column has: the same for 1 and 1.0, and for a date and its midnight. ``None`` for a gap and for what is no text
    in Unicode, no finite number and no moment. Numbers are what a float64 holds of them; ``exact``: ``None`` where that need not be all."""
    text: str | None = None
    try:
        if isinstance(cell, str):
            text = str.__str__(cell).encode().decode()
        elif isinstance(cell, bool | np.bool_):
            text = str(bool(cell)).lower()
        elif isinstance(cell, dt.timedelta):
            text = _number_text(cell.total_seconds(), decimal, exact)
        elif isinstance(cell, int | float | Decimal | np.integer | np.floating) and not isinstance(cell, np.timedelta64):
            text = _number_text(float(cell), decimal, exact)
        elif isinstance(cell, dt.datetime):
            text = _moment_text(cell)
        elif cell is not None:
            text = _rare_text(cell, decimal, exact)
    except (OverflowError, ValueError):  # half a character; beyond what a float or a calendar holds; pandas' NaT
        return None
    return text


def _rare_text(cell: Any, decimal: str, exact: bool) -> str | None:
    import pandas as pd

    if isinstance(cell, pd.Interval):
        ends = [_cell_text(end, decimal, exact) or "" for end in (cell.left, cell.right)]
        return f"{'[' if cell.closed_left else '('}{', '.join(ends)}{']' if cell.closed_right else ')'}"
    if isinstance(cell, complex | np.complexfloating):  # one makes them of all numbers of a column
        return _number_text(float(cell.real), decimal, exact) if cell.imag == 0 else None
    return str(cell) if isinstance(cell, dt.date | dt.time | pd.Period | uuid.UUID) else None


def _number_text(number: float, decimal: str, exact: bool) -> str | None:
    if (abs(number) >= EXACT and exact) or not math.isfinite(number):
        return None
    return str(int(number)) if abs(number) < EXACT and number.is_integer() else repr(number).replace(".", decimal)


def _moment_text(cell: dt.datetime) -> str:
    """In UTC where it has a zone, to the microsecond; a midnight is its date."""
    if cell.utcoffset() is not None:
        cell = cell.astimezone(dt.UTC)
    day = f"{cell.year:04d}-{cell.month:02d}-{cell.day:02d}"
    clock = (cell.hour, cell.minute, cell.second, cell.microsecond)
    return f"{day}T{clock[0]:02d}:{clock[1]:02d}:{clock[2]:02d}.{clock[3]:06d}" if any(clock) else day


def _dates_in(name: str, values: np.ndarray, gaps: np.ndarray) -> pl.Series:
    """Datetimes, as dates where no time of day occurs (pandas has no dates of its own)."""
    stamps = _gapped(pl.Series(name, np.where(gaps, np.int64(0), values.astype(np.int64))), gaps).cast(pl.Datetime("us"))
    midnight = bool((stamps.drop_nulls().dt.time() == dt.time()).all())
    return stamps.cast(pl.Date) if midnight and not gaps.all() else stamps


def _objects_in(name: str, series: Any, gaps: np.ndarray) -> pl.Series:
    cells = [None if gap else cell for cell, gap in zip(series.tolist(), gaps.tolist(), strict=True)]
    dtype = _common({type(c) for c in cells if c is not None})
    if dtype == pl.Int64 and not all(c is None or -(2**63) <= c < 2**63 for c in cells):
        dtype = None
    if dtype is None:
        return pl.Series(name, [None if c is None else str(c) for c in cells], dtype=pl.String)
    if dtype == pl.Float64:
        cells = [None if c is None else float(c) for c in cells]
    return pl.Series(name, cells, dtype=dtype)


PYTHON_TYPES: tuple[tuple[tuple[type, ...], pl.DataType], ...] = (
    ((str,), pl.String()),
    ((bool, np.bool_), pl.Boolean()),
    ((int, np.integer), pl.Int64()),
    ((int, float, np.integer, np.floating), pl.Float64()),
    ((dt.datetime,), pl.Datetime("us")),
    ((dt.date,), pl.Date()),
)


def _common(kinds: set[type]) -> pl.DataType | None:
    """The type that holds all these Python types as they are; ``None`` if there is none."""
    for allowed, dtype in PYTHON_TYPES:
        mixes_bool = bool in kinds and bool not in allowed
        if not mixes_bool and all(issubclass(k, allowed) for k in kinds):
            return dtype
    return None


def _gapped(series: pl.Series, gaps: np.ndarray) -> pl.Series:
    if not gaps.any():
        return series
    return series.to_frame().select(pl.when(pl.Series(~gaps)).then(pl.col(series.name)).alias(series.name)).to_series()


def _to_pandas(frame: pl.DataFrame, like: Any) -> Any:
    import pandas as pd

    names = {str(n): (n, like.iloc[:, i].dtype) for i, n in enumerate(like.columns)}
    columns = {}
    for name in frame.columns:
        original, dtype = names.get(name, (name, None))
        columns[original] = _retyped(_series_out(frame[name]), dtype)
    return pd.DataFrame(columns, index=pd.RangeIndex(frame.height))


def _series_out(series: pl.Series) -> Any:
    """A pandas series without pyarrow: numpy where there are no gaps, nullable types where there are."""
    import pandas as pd

    dtype, gaps = series.dtype, series.is_null().to_numpy()
    if dtype == pl.Boolean:
        values = series.fill_null(False).to_numpy(allow_copy=True)
        return pd.Series(pd.arrays.BooleanArray(values.copy(), gaps.copy())) if gaps.any() else pd.Series(values)
    if dtype.is_integer():
        values = series.fill_null(0).to_numpy(allow_copy=True)
        return pd.Series(pd.arrays.IntegerArray(values.copy(), gaps.copy())) if gaps.any() else pd.Series(values.copy())
    if dtype.is_float():
        return pd.Series(series.fill_null(float("nan")).to_numpy().copy())
    if dtype in (pl.Date, pl.Datetime):
        stamps = series.cast(pl.Datetime("us")).to_physical().fill_null(0).to_numpy().astype("M8[us]").copy()
        stamps[gaps] = np.datetime64("NaT")
        return pd.Series(stamps.astype("M8[ns]") if _fits_ns(stamps) else stamps)
    return pd.Series(series.to_list(), dtype=object)


def _fits_ns(stamps: np.ndarray) -> bool:
    seen = stamps[~np.isnat(stamps)]
    return not seen.size or bool(seen.min() > np.datetime64("1678-01-01") and seen.max() < np.datetime64("2262-01-01"))


def _retyped(series: Any, dtype: Any) -> Any:
    """The series as ``dtype`` where that loses nothing; else as it is."""
    import pandas as pd

    if dtype is None or series.dtype == dtype:
        return series
    if isinstance(dtype, pd.CategoricalDtype):
        seen = set(series.dropna())
        kept = [c for c in dtype.categories if c in seen]
        return pd.Series(pd.Categorical(series, categories=kept, ordered=dtype.ordered)) if len(kept) == len(seen) else series
    if isinstance(dtype, pd.DatetimeTZDtype) and getattr(series.dtype, "kind", "") == "M":
        return series.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).astype(dtype)
    if getattr(dtype, "kind", "O") == "m":
        return pd.to_timedelta(series, unit="s")
    try:
        made = series.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return series
    lost = made.isna() != series.isna()
    return series if bool(lost.any()) else made


def _to_arrow(frame: pl.DataFrame, like: Any) -> Any:
    import pyarrow as pa

    made = frame.to_arrow()
    for i, name in enumerate(made.column_names):
        if name not in like.column_names or pa.types.is_dictionary(like.schema.field(name).type):
            continue
        try:
            column = made.column(i).cast(like.schema.field(name).type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        made = made.set_column(i, name, column)
    return made
