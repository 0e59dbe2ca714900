"""The declared reading of files that carry their types: rows read together are the rows read one by one, whatever a cell holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyreadstat
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, TableUnreadable
from twinset.io import formats
from twinset.io.declared import STORED, Declared, as_declared, empty, read_declared

KINDS = (
    Column("id", "text", "identifier"),
    Column("number", "number"),
    Column("integer", "integer"),
    Column("date", "date"),
    Column("datetime", "datetime"),
    Column("category", "category"),
    Column("coded", "category", level_type="integer"),
    Column("flag", "category", level_type="boolean"),
)
SCHEMA = Schema(KINDS)


def got(path: Path, schema: Schema = SCHEMA, how: Declared = STORED) -> pl.DataFrame:
    return pl.concat([empty(schema), *(b.frame for b in read_declared(path, schema, how))])


def together_and_one_by_one(n: int, write: Callable[[list[int], Path], Path], folder: Path, schema: Schema = SCHEMA, how: Declared = STORED) -> pl.DataFrame:
    """All rows as read from one file, after each of them was compared with itself alone in a file, and with its neighbours gone."""
    whole = got(write(list(range(n)), folder), schema, how)
    assert len(whole) == n
    for i in range(n):
        assert_frame_equal(got(write([i], folder), schema, how), whole[i], check_exact=True)
    for half in (range(0, n, 2), range(1, n, 2)):
        assert_frame_equal(got(write(list(half), folder), schema, how), whole[list(half)], check_exact=True)
    return whole


DAY = ("yyyy-mm-dd", dt.datetime(2020, 1, 31))
TYPED: list[Any] = [
    1,
    1.5,
    -3,
    1e20,
    1e-7,
    0.1 + 0.2,
    True,
    False,
    "",
    " a ",
    "1,5",
    "2020-01-31",
    "007",
    "NA",
    "=",
    DAY,
    ("yyyy-mm-dd hh:mm", 43832.123456789),
]
TYPED += [("yyyy-mm-dd", 60), ("yyyy-mm-dd", -5), ("yyyy-mm-dd", 1e9), ("yyyy-mm-dd", 2958466), ("hh:mm", 0.25), ("[h]:mm", 2.25), ("0%", 0.5), "#DIV/0!"]


def workbook(rows: Iterable[tuple[int, Iterable[Any]]], path: Path, header: Iterable[str] = SCHEMA.names) -> Path:
    """A sheet with a header on its first line and cells on the lines that are named, counted from 1 below it."""
    book = xlsxwriter.Workbook(str(path))
    page = book.add_worksheet()
    for j, name in enumerate(header):
        page.write(0, j, name)
    for i, cells in rows:
        for j, cell in enumerate(cells):
            if isinstance(cell, tuple):
                shape = book.add_format({"num_format": cell[0]})
                (page.write_datetime if isinstance(cell[1], dt.datetime) else page.write_number)(i, j, cell[1], shape)
            elif cell == "#DIV/0!":
                page.write_formula(i, j, "=1/0", None, "#DIV/0!")
            elif isinstance(cell, str):
                page.write_string(i, j, cell)
            elif cell is not None:
                page.write(i, j, cell)
    book.close()
    return path


def test_a_sheet_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [(f"p{i}", *[cell] * (len(KINDS) - 1)) for i, cell in enumerate(TYPED)]
    made = together_and_one_by_one(len(rows), lambda some, at: workbook(enumerate((rows[i] for i in some), 1), at / "t.xlsx"), tmp_path)
    seen = made.row(TYPED.index(DAY), named=True)
    assert (seen["date"], seen["datetime"], seen["category"]) == (dt.date(2020, 1, 31), dt.datetime(2020, 1, 31), "2020-01-31 00:00:00")
    assert made["category"].to_list()[:5] == ["1", "1.5", "-3", "100000000000000000000", "0.0000001"]
    assert made["flag"].to_list()[6:8] == [True, False]
    assert made["number"].to_list()[:4] == [1.0, 1.5, -3.0, 1e20]


def test_blank_lines_of_a_sheet_are_nobody_wherever_the_last_patient_stands(tmp_path: Path) -> None:
    """Red where the lines between the table and a patient far below count as patients: that one patient made 2,061 rows of 100."""
    schema = Schema((Column("a", "integer"), Column("b", "category")))
    near = got(workbook([(i, (i, "x")) for i in range(1, 101)], tmp_path / "near.xlsx", schema.names), schema)
    far = got(workbook([*((i, (i, "x")) for i in range(1, 100)), (2999, (100, "x"))], tmp_path / "far.xlsx", schema.names), schema)
    assert_frame_equal(near, far)
    fewer = got(workbook([(i, (i, "x")) for i in range(1, 100)], tmp_path / "fewer.xlsx", schema.names), schema)
    assert_frame_equal(fewer, far.head(99))
    blank = got(workbook([(1, (1, "x")), (2, ("  ", "")), (3, (2, None))], tmp_path / "blank.xlsx", schema.names), schema)
    assert blank["a"].to_list() == [1, 2]


@pytest.mark.parametrize("stray", [(1, (1, "x", None, "secret")), (2, (2, "y", "secret")), (40, (None, None, None, None, "secret"))])
def test_a_cell_beside_the_table_is_not_of_it(stray: tuple[int, Any], tmp_path: Path) -> None:
    schema = Schema((Column("a", "integer"), Column("b", "category")))
    rows = {1: (1, "x"), 2: (2, "y")}
    path = workbook({**rows, stray[0]: stray[1]}.items(), tmp_path / "t.xlsx", schema.names)
    assert_frame_equal(got(path, schema), got(workbook(rows.items(), tmp_path / "u.xlsx", schema.names), schema))


def test_a_sheet_with_names_alone_has_no_rows_and_one_name_twice_is_refused(tmp_path: Path) -> None:
    schema = Schema((Column("a", "integer"), Column("b", "category")))
    assert got(workbook([], tmp_path / "t.xlsx", schema.names), schema).height == 0
    with pytest.raises(TableUnreadable, match="share a name"):
        got(workbook([(1, (1, 2))], tmp_path / "u.xlsx", ("a", "a")), schema)
    workbook([], tmp_path / "v.xlsx", ())
    with pytest.raises(TableUnreadable):
        got(tmp_path / "v.xlsx", schema)


def database(folder: Path, *statements: str) -> Path:
    path = folder / "t.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def test_a_view_is_refused_by_the_declared_reading_alone(tmp_path: Path) -> None:
    """A view gives rows twice or never when it is read in blocks, and it may be a door to a file that the ledger does not know."""
    path = database(tmp_path, "CREATE TABLE t AS SELECT range AS i FROM range(5)", "CREATE VIEW v AS SELECT i, count(*) AS n FROM t GROUP BY i")
    schema = Schema((Column("i", "integer"), Column("n", "integer")))
    for named in ("v", "main.v"):
        with pytest.raises(BadInput, match="computed anew") as refused:
            got(path, schema, Declared(table=named))
        assert "CREATE TABLE" in str(refused.value)
    assert len(formats.read_duckdb(path, "v")) == 5
    assert len(got(path, Schema((Column("i", "integer"),)))) == 5  # the only table; a view beside it is none
    with pytest.raises(BadInput, match="computed anew"):
        got(database(tmp_path, "CREATE VIEW v AS SELECT 1 AS i"), schema)


@pytest.mark.parametrize("rows", [1000, 1024, 30_000, 200_000])
def test_every_row_of_a_stored_table_comes_once(rows: int, tmp_path: Path) -> None:
    n = 20_000 if rows < 200_000 else 450_000
    path = database(
        tmp_path,
        f"CREATE TABLE t AS SELECT range AS i FROM range({n})",
        "DELETE FROM t WHERE i % 3 = 0 OR (i > 4000 AND i < 8000)",
        f"INSERT INTO t SELECT {n} + range FROM range(10)",
        "UPDATE t SET i = -i WHERE i % 7 = 1",
    )
    blocks = list(formats.scan_duckdb(path, "t", rows))
    seen = pl.concat(blocks)["i"]
    with duckdb.connect(str(path), read_only=True) as connection:
        stored = connection.sql("SELECT i FROM t").fetchall()
    assert max(b.height for b in blocks) <= rows
    assert sorted(seen.to_list()) == sorted(i for (i,) in stored)
    assert seen.n_unique() == len(seen)


def test_a_column_named_rowid_numbers_nothing(tmp_path: Path) -> None:
    path = database(tmp_path, "CREATE TABLE t AS SELECT 1000000 - range * 50 AS RowId FROM range(5000)", "INSERT INTO t VALUES (NULL), (-3)")
    assert sum(b.height for b in formats.scan_duckdb(path, None, 100)) == 5002
    assert [b.height for b in formats.scan_duckdb(database(tmp_path, "CREATE TABLE t(i int)"), None, 100)] == [0]


ENDLESS = ["'infinity'", "'-infinity'", "'2020-01-31'", "NULL", "'9999-12-31'", "'0001-01-01'", "'290000-01-01'", "'0044-03-15 (BC)'"]


@pytest.mark.parametrize("stored", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_MS"])
def test_endless_dates_of_a_database_are_gaps(stored: str, tmp_path: Path) -> None:
    """Red where a date that no calendar has stops the run, with the cell in the message."""

    def write(some: list[int], folder: Path) -> Path:
        columns = ", ".join(f'"{c.name}" {"VARCHAR" if c.name == "id" else stored}' for c in SCHEMA)
        rows = [f"INSERT INTO t VALUES ('p{i}', {', '.join([f'{ENDLESS[i]}::{stored}'] * (len(KINDS) - 1))})" for i in some]
        return database(folder, "SET TimeZone = 'UTC'", f"CREATE TABLE t ({columns})", *rows)

    made = together_and_one_by_one(len(ENDLESS), write, tmp_path)
    assert made["date"].to_list() == [None, None, dt.date(2020, 1, 31), None, dt.date(9999, 12, 31), dt.date(1, 1, 1), None, None]
    assert made["category"].to_list() == [None, None, "2020-01-31", None, "9999-12-31", "0001-01-01", None, None]


def stored_numbers(dtype: pl.DataType) -> pl.Series:
    top = 2**31 - 1 if dtype == pl.Date else 2**63 - 1
    whole = [0, 1, -1, top, -top - 1, top - 1, -719_162, -719_163, 2_932_896, 2_932_897, 18_292, None]
    if isinstance(dtype, pl.Time):
        whole = [0, 1, 86_399_999_999_999, None]
    return pl.Series(whole, dtype=pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)


STORED = [
    pl.Date(),
    *(pl.Datetime(u, z) for u in ("ms", "us", "ns") for z in (None, "UTC", "Europe/Copenhagen")),
    *(pl.Duration(u) for u in ("ms", "us", "ns")),
    pl.Time(),
]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("dtype", STORED, ids=str)
def test_any_stored_moment_is_read_row_by_row(dtype: pl.DataType, suffix: str, tmp_path: Path) -> None:
    cells = stored_numbers(dtype)
    frame = pl.DataFrame([pl.Series("id", [f"p{i}" for i in range(len(cells))]), *(cells.rename(c.name) for c in KINDS[1:])])

    def write(some: list[int], folder: Path) -> Path:
        path = folder / f"t.{suffix}"
        (frame[some].write_parquet if suffix == "parquet" else frame[some].write_ipc)(path)
        return path

    for how in (Declared(), Declared(missing=("1970-01-01", "NA"))):
        together_and_one_by_one(len(cells), write, tmp_path, how=how)


def test_times_of_no_day_are_gaps() -> None:
    odd = pl.Series("c", [0, -1, 86_400_000_000_000, 2**63 - 1]).cast(pl.Time, strict=False)
    assert as_declared(odd.to_frame(), Schema((Column("c", "category"),)), Declared()).frame["c"].to_list()[1:] == [None, None, None]


SPANS = [0.0, 1.5, 1e18, -1e18, 1e300, -1e300, None, 8.64e4, 1.379731e10, 2.6e11, 2.7e11, 21_915.0, -1.0, 1.893542645e12]
FORMATS = {
    "sav": (pyreadstat.write_sav, ["F8.2", "DATE11", "DATETIME20", "TIME8", "ADATE10", "EDATE10", "SDATE10"]),
    "zsav": (pyreadstat.write_sav, ["F8.2", "DATE11", "DATETIME20", "TIME8", "JDATE7", "DTIME11", "F8.0"]),
    "por": (pyreadstat.write_por, ["F8.2", "DATE11", "DATETIME20", "TIME8", "ADATE10", "EDATE10", "SDATE10"]),
    "dta": (pyreadstat.write_dta, ["%10.0g", "%td", "%tc", "%tcHH:MM:SS", "%d", "%tC", "%tw"]),
    "xpt": (pyreadstat.write_xport, ["BEST12", "DATE9", "DATETIME20", "TIME8", "YYMMDD10", "E8601DA10", "MMDDYY10"]),
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", ["number", "integer", "date", "datetime", "category"])
def test_statistical_files_are_read_row_by_row(suffix: str, kind: str, tmp_path: Path) -> None:
    """Red where one date that no calendar has refuses the file, or stops the program with the cell in the message."""
    write, kinds = FORMATS[suffix]
    names = [f"C{i}" for i in range(len(kinds))]
    spans = [v if v is None or abs(v) < 1e30 or suffix not in ("xpt", "por") else v / 1e280 for v in SPANS]
    frame = pl.DataFrame({"ID": [f"p{i}" for i in range(len(spans))], **dict.fromkeys(names, spans)}, schema_overrides=dict.fromkeys(names, pl.Float64))
    schema = Schema((Column("ID", "text", "identifier"), *(Column(n, kind) for n in names)))

    def stored(some: list[int], folder: Path) -> Path:
        path = folder / f"t.{suffix}"
        write(frame[some], str(path), variable_format=dict(zip(names, kinds, strict=True)))
        return path

    together_and_one_by_one(len(spans), stored, tmp_path, schema)


@pytest.mark.parametrize("suffix", FORMATS)
def test_dates_of_statistical_files_are_those_of_the_open_reader(suffix: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "D": [dt.date(2020, 1, 31), None, dt.date(1931, 12, 1)],
            "T": [dt.datetime(2020, 1, 31, 10, 30, 15), dt.datetime(1959, 12, 31, 23, 59, 59), None],
            "H": [dt.time(3, 4, 5), dt.time(23, 59, 59), None],
            "N": [1.0, 2.5, None],
            "S": ["a", "b", ""],
        }
    )
    path = tmp_path / f"t.{suffix}"
    FORMATS[suffix][0](frame, str(path))
    made = formats.statistical_cells(path, encoding="utf-8")
    assert_frame_equal(made.drop("S"), formats.read_statistical(path).drop("S"))
    assert made["D"].to_list() == frame["D"].to_list()


@pytest.mark.parametrize("suffix", ["sav", "dta", "xpt"])
def test_bytes_that_are_no_text_spoil_one_cell(suffix: str, tmp_path: Path) -> None:
    """Red where one byte of one patient refuses the whole file."""
    texts = ["aé", "bü", "c", "", "dø", "Ærø"]
    schema = Schema((Column("id", "text", "identifier"), Column("s", "category")))

    def stored(some: list[int], folder: Path, broken: bool = True) -> Path:
        path = folder / f"t.{suffix}"
        rows = pl.DataFrame({"id": [f"p{i}" for i in some], "s": [texts[i].ljust(8, "_") for i in some]})
        FORMATS[suffix][0](rows, str(path))
        data = path.read_bytes()
        path.write_bytes(data.replace("bü".encode(), b"b\xff\x81").replace("dø".encode(), b"d\xf8_") if broken else data)
        return path

    made = together_and_one_by_one(len(texts), stored, tmp_path, schema)
    bare = [None if t is None else t.rstrip("_") for t in made["s"].to_list()]
    assert bare == ["aé", "bÿ\x81", "c", "", "dø", "Ærø"]
    assert got(stored(list(range(6)), tmp_path, False), schema)["s"].str.strip_chars("_").to_list() == texts


@pytest.mark.parametrize("suffix", ["xpt", "sas7bdat", "sav", "zsav", "por", "dta", "xlsx", "parquet", "arrow", "duckdb"])
def test_what_is_no_file_of_its_kind_is_refused_without_a_word_of_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes("Ærøskøbing".encode() * 500)
    with pytest.raises(TableUnreadable) as refused:
        got(path)
    assert "købing" not in str(refused.value)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Float32(), pl.Boolean(), pl.String()], ids=str)
def test_numbers_of_any_width_are_read_row_by_row(suffix: str, dtype: pl.DataType, tmp_path: Path) -> None:
    """A gap in another row may change how the library holds a column; it changes no cell."""
    cells: list[Any] = ["1", "", "1.0", " x ", "2020-01-31"] if dtype == pl.String else [True, None, False] if dtype == pl.Boolean else [0, 1, None, -7, 100]
    frame = pl.DataFrame({"ID": [f"p{i}" for i in range(len(cells))], **{f"C{i}": pl.Series(cells, dtype=dtype) for i in range(3)}})
    schema = Schema((Column("ID", "text", "identifier"), Column("C0", "number"), Column("C1", "category"), Column("C2", "integer")))

    def stored(some: list[int], folder: Path) -> Path:
        path = folder / f"t.{suffix}"
        FORMATS[suffix][0](frame[some], str(path))
        return path

    together_and_one_by_one(len(cells), stored, tmp_path, schema)


def test_a_column_of_intervals_is_refused_by_its_type(tmp_path: Path) -> None:
    with pytest.raises(TableUnreadable, match="intervals"):
        got(database(tmp_path, "CREATE TABLE t(id VARCHAR, n INTERVAL)"), Schema((Column("id", "text", "identifier"), Column("n", "number"))))


@pytest.mark.parametrize(
    "stored", ["HUGEINT", "UBIGINT", "DECIMAL(38, 6)", "DOUBLE", "TIME", "TIMETZ", "UUID", "ENUM('1', 'a')", "TIMESTAMP_S", "TIMESTAMP_NS"]
)
def test_other_types_of_a_database_are_read_row_by_row(stored: str, tmp_path: Path) -> None:
    odd = {
        "HUGEINT": ["1", "170141183460469231731687303715884105727", "-1"],
        "UBIGINT": ["1", "18446744073709551615"],
        "DECIMAL(38, 6)": ["1.5", "99999999999999999999999999999999.999999"],
        "DOUBLE": ["1", "1.5", "nan", "inf", "1e308", "-0.0"],
        "TIME": ["24:00:00", "10:30:00"],
        "TIMETZ": ["24:00:00+00", "10:30:00+02"],
        "UUID": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        "ENUM('1', 'a')": ["1", "a"],
        "TIMESTAMP_S": ["infinity", "2020-01-31", "9999-12-31"],
        "TIMESTAMP_NS": ["infinity", "2020-01-31 10:30:00.123456789"],
    }[stored]
    cells = [*(f"'{c}'::{stored}" for c in odd), "NULL"]

    def write(some: list[int], folder: Path) -> Path:
        columns = ", ".join(f'"{c.name}" {"VARCHAR" if c.name == "id" else stored}' for c in SCHEMA)
        return database(folder, f"CREATE TABLE t ({columns})", *(f"INSERT INTO t VALUES ('p{i}', {', '.join([cells[i]] * (len(KINDS) - 1))})" for i in some))

    together_and_one_by_one(len(cells), write, tmp_path)
