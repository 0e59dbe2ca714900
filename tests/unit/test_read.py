"""The traps of real files, one by one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from twinset.errors import TableUnreadable
from twinset.io.cells import typed
from twinset.io.read import Options, read, read_table


def table(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def column(*cells: str, name: str = "x", decimal: str = ".") -> pl.Series:
    return typed(pl.Series(name, cells, dtype=pl.String), decimal=decimal).series


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    rows = [["a", "b", "c"], ["1", "x y", "2.5"], ["2", f'"q{separator}q"', "3"]]
    path = table(tmp_path, "\n".join(separator.join(r) for r in rows) + "\n")
    reading = read(path)
    assert reading.options.separator == separator
    assert reading.frame["b"].to_list() == ["x y", f"q{separator}q"]


def test_decimal_commas(tmp_path: Path) -> None:
    reading = read(table(tmp_path, "lab;n;text\n1,5;1;a,b\n2;2;c\n0,25;3;d\n"))
    assert reading.options.decimal == ","
    assert reading.frame["lab"].to_list() == [1.5, 2.0, 0.25]
    assert reading.frame["text"].to_list() == ["a,b", "c", "d"]
    assert read_table(table(tmp_path, 'a,b\n"1,5",x\n"2,25",y\n'))["a"].to_list() == [1.5, 2.25]


def test_grouped_thousands_are_numbers_and_told(tmp_path: Path) -> None:
    reading = read(table(tmp_path, 'platelets,n\n"265,000",1\n"1,263,358.03",2\n900,3\n'))
    assert reading.frame["platelets"].to_list() == [265000.0, 1263358.03, 900.0]
    assert any("grouped thousands" in note for note in reading.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_found_and_told(tmp_path: Path, encoding: str) -> None:
    path = table(tmp_path, "größe,ort\n1,Köln – Süd\n2,Zürich\n".encode(encoding))
    reading = read(path)
    assert reading.frame.columns == ["größe", "ort"]
    assert reading.frame["ort"].to_list() == ["Köln – Süd", "Zürich"]
    assert reading.options.encoding == encoding
    assert_frame_equal(read_table(path, encoding=encoding), reading.frame)


def test_a_level_called_none_or_na_is_not_missing(tmp_path: Path) -> None:
    frame = read_table(table(tmp_path, "first,second,third\nNone,NA,nan\nSeveral,x,null\n,y,NULL\n"))
    assert frame["first"].to_list() == ["None", "Several", None]
    assert frame["second"].to_list() == ["NA", "x", "y"]
    assert frame["third"].to_list() == ["nan", "null", "NULL"]


@pytest.mark.parametrize("sign", ["NA", "N/A", "?", ".", "NaN", "#N/A", "-"])
def test_among_numbers_the_signs_for_missing_are_missing_and_told(tmp_path: Path, sign: str) -> None:
    reading = read(table(tmp_path, f"age,grade\n61,{sign}\n{sign},b\n43,a\n"))
    assert reading.frame["age"].to_list() == [61, None, 43]
    assert reading.frame["age"].dtype == pl.Int64
    assert reading.frame["grade"].to_list() == [sign, "b", "a"]
    assert reading.tokens == {"age": (sign,)}


def test_listed_texts_are_missing_everywhere(tmp_path: Path) -> None:
    path = table(tmp_path, "age,grade\n61,unknown\nunknown,b\n")
    assert read(path).odd == {}
    assert read_table(path, missing=["unknown"])["age"].to_list() == [61, None]
    assert read_table(path, missing=["unknown"])["grade"].to_list() == [None, "b"]
    many = "\n".join(["x", *map(str, range(100)), "ask later"])
    assert read(table(tmp_path, many)).odd == {"x": ("ask later",)}


def test_padding_is_removed_and_told(tmp_path: Path) -> None:
    reading = read(table(tmp_path, "answer,n\nNo ,1\nNo, 2\n   ,3\n"))
    assert reading.frame["answer"].to_list() == ["No", "No", None]
    assert reading.frame["n"].to_list() == [1, 2, 3]
    assert "`answer`: blanks around the text of 1 cells were removed" in reading.notes


def test_whole_numbers_with_gaps_and_long_ones_stay_exact(tmp_path: Path) -> None:
    frame = read_table(table(tmp_path, "gap,id,longer,pandas\n1,9223372036854775807,92233720368547758070,1.0\n,9007199254740993,12345678901234567890,\n"))
    assert frame["gap"].to_list() == [1, None]
    assert frame["id"].to_list() == [2**63 - 1, 2**53 + 1]
    assert frame["longer"].dtype == pl.String
    assert frame["pandas"].to_list() == [1, None]
    assert frame["pandas"].dtype == pl.Int64


@pytest.mark.parametrize(
    "cells",
    [("007", "8"), ("01234", "98765"), ("250.83", "V45"), ("<19", "22"), ("1_000", "2"), ("12:30", "08:15"), ("0x1F", "2"), ("1e400", "2"), ("1 000", "2")],
)
def test_codes_stay_text(cells: tuple[str, ...]) -> None:
    assert column(*cells).to_list() == list(cells)


def test_codes_that_differ_in_a_trailing_zero_stay_text() -> None:
    assert column("250.10", "250.1", "401", name="icd9").dtype == pl.String
    assert column("250.10", "250.1", "401", name="cost").dtype == pl.Float64


def test_dates_are_read_only_where_one_way_alone_fits() -> None:
    day = dt.date(2020, 1, 31)
    for text in ("2020-01-31", "2020/1/31", "31/01/2020", "31.1.2020", "01/31/2020"):
        assert column(text, "").to_list() == [day, None], text
    either = typed(pl.Series("x", ["01/02/2020", "03/04/2020"]))
    assert either.series.dtype == pl.String
    assert "cannot be told apart" in either.note
    assert column("31/01/2020", "01/31/2020").dtype == pl.String
    assert column("2020-02-30", "2020-01-01").dtype == pl.String
    assert column("20200131", name="visit_date").to_list() == [day]
    assert column("20200131", name="code_of_ward").to_list() == [20200131]


def test_moments() -> None:
    assert column("2020-01-31T10:20:30Z", "2020-01-31T10:20:30.500+01:00").to_list() == [
        dt.datetime(2020, 1, 31, 10, 20, 30),
        dt.datetime(2020, 1, 31, 9, 20, 30, 500_000),
    ]
    assert column("31/01/2020 08:05").to_list() == [dt.datetime(2020, 1, 31, 8, 5)]


def test_booleans_and_infinities() -> None:
    assert column("TRUE", "false", "").to_list() == [True, False, None]
    assert column("inf", "1.5").to_list() == [None, 1.5]


def test_blank_lines_old_line_ends_and_the_line_of_excel(tmp_path: Path) -> None:
    reading = read(table(tmp_path, "a,b\r\n1,x\r\n\r\n2,y\r\n\r\n"))
    assert reading.frame["a"].to_list() == [1, 2]
    assert "2 blank lines were left out" in reading.notes
    assert read_table(table(tmp_path, "a,b\r1,x\r2,y"))["b"].to_list() == ["x", "y"]
    assert read_table(table(tmp_path, "sep=;\na;b\n1;x,y\n"))["b"].to_list() == ["x,y"]
    assert read_table(table(tmp_path, "a,b\n,\n,\n")).height == 2


def test_quotes(tmp_path: Path) -> None:
    frame = read_table(table(tmp_path, 'a,b\n"x ""y"" z","line\nbreak"\n5" nail,plain\n"",q\n'))
    assert frame["a"].to_list() == ['x "y" z', '5" nail', None]
    assert frame["b"].to_list() == ["line\nbreak", "plain", "q"]


def test_a_column_without_a_name_gets_one(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, ",age\n1,61\n2,43\n")).columns == ["column_1", "age"]


cells = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6),
    st.sampled_from(
        ["1", "2.5", "-3", "NA", "?", "", "007", "2020-01-31", "31/01/2020", "true", "a,b", 'q"q', "x\ny", "1,5", "9223372036854775808", "1e5", "inf", "٣"]
    ),
)


def test_the_quick_way_and_the_long_way_agree() -> None:
    for texts in (
        ["1", "-20", None],
        ["1.5", "2", None],
        ["1.0", "2"],
        ["0.10", "-0.5"],
        ["0"],
        [None, None],
        ["007", "1"],
        ["-0.0", "1.5"],
        ["1e5", "2"],
        ["1", "x"],
    ):
        short = typed(pl.Series("x", texts, dtype=pl.String)).series
        long = typed(pl.Series("x", texts * 3000, dtype=pl.String)).series
        assert short.dtype == long.dtype, texts
        assert short.to_list() * 3000 == long.to_list()


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_cells_are_read_and_none_is_invented(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    """Whatever the cells: the shape holds, text comes back as it was but for blanks around it, a null was blank or a sign for missing."""
    path = tmp_path_factory.mktemp("any") / "t.csv"
    pl.DataFrame({"first": [r[0] for r in rows], "second": [r[1] for r in rows], "third": ["k"] * len(rows)}).write_csv(path, quote_style="always")
    frame = read_table(path, separator=",")
    assert frame.shape == (len(rows), 3)
    for i, name in enumerate(("first", "second")):
        given_cells = [pl.Series([r[i]]).str.strip_chars()[0] for r in rows]
        if frame[name].dtype == pl.String:
            assert frame[name].to_list() == [c or None for c in given_cells]
        else:
            signs = {"", "na", "?", "inf"}
            assert [v is None for v in frame[name]] == [c.lower() in signs for c in given_cells]


def test_formats_that_carry_types(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"s": [" padded", "None", "  "], "d": ["2020-01-31", "2020-02-01", None], "code": ["1", "2", "3"], "f": [1.0, float("nan"), float("inf")]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    made = read_table(tmp_path / "t.parquet")
    assert made["s"].to_list() == ["padded", "None", None]
    assert made["d"].dtype == pl.Date
    assert made["code"].dtype == pl.String  # a typed file means what it says
    assert made["f"].to_list() == [1.0, None, None]


def test_sas_zero_is_zero(tmp_path: Path) -> None:
    """Some writers store zero as 5.4e-79; `CNSR == 0` must find it."""
    import pyreadstat

    pyreadstat.write_xport(pl.DataFrame({"CNSR": [5.4e-79, 1.0, 5.4e-79]}), str(tmp_path / "t.xpt"))
    assert read_table(tmp_path / "t.xpt")["CNSR"].to_list() == [0, 1, 0]


def test_excel_sheets(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "t.xlsx")) as book:
        for name, start in (("first", 1), ("second", 10)):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["n", "lab", "level"])
            for i in range(3):
                sheet.write_row(i + 1, 0, [start + i, "?" if i == 1 else 1.5, "None"])
    frame = read_table(tmp_path / "t.xlsx")
    assert frame["n"].to_list() == [1, 2, 3]
    assert frame["lab"].to_list() == [1.5, None, 1.5]
    assert frame["level"].to_list() == ["None"] * 3
    assert read_table(tmp_path / "t.xlsx", sheet="second")["n"][0] == 10
    with pytest.raises(TableUnreadable, match="no sheet of this name"):
        read_table(tmp_path / "t.xlsx", sheet="third")


def test_duckdb_tables(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table people as select 9007199254740993 as id, 1.50::decimal(9,2) as lab, 'None' as level")
    assert read_table(path).rows() == [(2**53 + 1, 1.5, "None")]
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table visits as select 1 as n")
    with pytest.raises(TableUnreadable, match="2 tables"):
        read_table(path)
    assert read_table(path, table="visits").rows() == [(1,)]
    with pytest.raises(TableUnreadable, match="no table of this name"):
        read_table(path, table="nobody")


def test_options_are_kept_and_given_ones_win(tmp_path: Path) -> None:
    path = table(tmp_path, "a;b\n1,5;x\n")
    assert read(path).options == Options(";", ",", "utf-8", header=1)
    assert read(path, Options(decimal=".")).frame["a"].dtype == pl.String


@pytest.mark.data
def test_development_data_read_well(shared_data: Path) -> None:
    assert read_table(shared_data / "heart_failure.csv")["platelets"].dtype.is_numeric()
    assert read_table(shared_data / "lifesnaps_daily.csv")["bmi"].dtype == pl.String
    assert "None" in read_table(shared_data / "nhanes.parquet")["Depressed"].to_list()
    diabetes = read_table(shared_data / "diabetes130.parquet")
    assert int((diabetes["A1Cresult"] == "None").sum()) == 84_748
    assert "nan" in read_table(shared_data / "covid_testing.parquet")["fake_first_name"].to_list()
    assert read_table(shared_data / "cgd.csv")["random"].dtype == pl.Date


@pytest.mark.parametrize("n", [40, 4000], ids=["short", "long"])
def test_grouped_thousands_under_a_decimal_comma(tmp_path: Path, n: int) -> None:
    """``1.234`` is 1234 where the decimal sign is a comma, in short tables as in long ones."""
    path = tmp_path / "t.csv"
    path.write_text("cost;crp\n" + "".join(f"{1 + i % 9}.234;{i},5\n" for i in range(n)))
    frame = read_table(path)
    assert frame["cost"].to_list()[:2] == [1234, 2234]
    assert frame["crp"].to_list()[:2] == [0.5, 1.5]


def test_one_odd_text_does_not_hide_a_decimal_comma(tmp_path: Path) -> None:
    """A sign for missing that nobody knows among decimal commas must not make ``1.234`` euros 1.234."""
    text = "cost;crp\n" + "".join(f"{1 + i % 9}.234;{'ohne' if i == 7 else f'{i},5'}\n" for i in range(200))
    reading = read(table(tmp_path, text))
    assert reading.options.decimal == ","
    assert reading.frame["cost"][0] == 1234
    assert reading.odd == {"crp": ("ohne",)}
    grouped = "x\n" + "".join(f'"{1 + i},500"\n' for i in range(200)) + "unclear\n"
    assert read(table(tmp_path, grouped)).options.decimal == "."
