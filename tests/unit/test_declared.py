"""The declared reading: a file is read as its lines are read one by one, whatever stands in them. Nothing here knows two rows at once."""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from twinset.core.schema import Column, Schema
from twinset.errors import BadInput, TableUnreadable
from twinset.io import lines
from twinset.io.declared import Declared, as_declared, dtype_of, empty, read_declared
from twinset.io.moments import moments

SCHEMA = Schema(
    (
        Column("id", "text", "identifier"),
        Column("n", "number"),
        Column("i", "integer"),
        Column("d", "date"),
        Column("t", "datetime"),
        Column("c", "category"),
        Column("k", "category", level_type="integer"),
        Column("b", "category", level_type="boolean"),
        Column("p", "category", levels=("a", "b", "ü"), origin="public"),
        Column("q", "category", levels=(1, 2, 2.5), missing_codes=(-9.0,), origin="public"),
        Column("r", "category", levels=(1, 2)),
    )
)
HOW = Declared(separator=";", decimal=",", thousands=".", missing=("NA", "?"), date_order="dmy")
ODD = ["", "NA", "?", "1", "1,5", "1.5", "1.234,5", "-1", "1e5", "inf", "nan", "31/01/2020", "31.01.2020 10:30", "2020-01-31", "01/31/2020", "true", "TRUE"]
ODD += ["a", " a ", "ü", "2,5", "-9", "A104000", "007", "99999999999999999999", '"', 'say "so', '"quoted"', "\r", "\x00", "\x85", "3.0", "20200131"]
CELL = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\n\r\x1c\x1d\x1e\x1f", codec="utf-8"), max_size=6)
RAW = st.binary(max_size=30).map(lambda b: b.replace(b"\n", b";")) | st.lists(CELL, min_size=9, max_size=13).map(
    lambda c: ";".join(c).encode().replace(b"\n", b"")
)
HEAD = (";".join(SCHEMA.names) + "\n").encode()


def read(rows: list[bytes], how: Declared = HOW, schema: Schema = SCHEMA) -> pl.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes((";".join(schema.names) + "\n").encode() + b"".join(row + b"\n" for row in rows))
        return pl.concat([empty(schema), *(b.frame for b in read_declared(path, schema, how))])


@settings(max_examples=150, deadline=None)
@given(st.lists(RAW, max_size=8), st.sampled_from(["utf-8", "cp1252", "latin-1", "cp932", "gbk"]))
@example([b'"open', b"a;b;c;d;e;f;g;h;i;j;k", b'close"'], "utf-8")
@example([b"\xff\xfe;1;1;;;;;;;;", "ü;1;1;;;;;;;;".encode()], "utf-8")
@example([b"\x81", b"x;1;1;;;;;;;;"], "cp932")
def test_a_file_is_read_as_its_lines_one_by_one(rows: list[bytes], encoding: str) -> None:
    """No byte, quotation mark or field of a line reaches another: raw bytes, not only what a careful program would write."""
    how = Declared(**{**HOW.__dict__, "encoding": encoding})
    assert_frame_equal(read(rows, how), pl.concat([empty(SCHEMA), *(read([row], how) for row in rows)]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(CELL, min_size=11, max_size=11), min_size=1, max_size=6), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_a_careful_program_writes_is_read_back(rows: list[list[str]], quoting: int) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";", quoting=quoting, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    made = read([line.encode() for line in out.getvalue().split("\n")[:-1]])
    bare = [row[0].replace("\r", " ").strip() for row in rows]
    assert made["id"].to_list() == [None if b in ("", "NA", "?") else b for b in bare]
    assert len(made) == len(rows)


@given(st.lists(RAW, max_size=6), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_pieces_of_any_size_give_the_same_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], size: int) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(HEAD + b"\n".join(rows))
    whole, cut = (list(lines.blocks(path, separator=";", encoding="utf-8", size=s)) for s in (1 << 20, size))
    one, many = (pl.concat([pl.DataFrame(schema=dict.fromkeys(SCHEMA.names, pl.String)), *(b.frame for b in found)]) for found in (whole, cut))
    assert_frame_equal(one, many)
    assert [x for b in whole for x in b.malformed] == [x for b in cut for x in b.malformed]


TYPED = {
    "integers": pl.Series([1, None, 2**60, -9, 2]),
    "floats": pl.Series([1.0, 2.5, None, float("nan"), float("inf"), -0.0, 1e300, 2.0**53]),
    "booleans": pl.Series([True, None, False]),
    "texts": pl.Series([*ODD, None]),
    "dates": pl.Series([dt.date(2020, 1, 31), None, dt.date(1850, 1, 1)]),
    "moments": pl.Series([dt.datetime(2020, 1, 31), dt.datetime(2020, 1, 31, 10, 30, 0, 5), None]),
    "zoned": pl.Series([dt.datetime(2020, 1, 31, 23), None]).dt.replace_time_zone("Europe/Berlin"),
    "categories": pl.Series(["a", "b", None], dtype=pl.Categorical),
    "wide": pl.Series([2**63, 1, None], dtype=pl.UInt64),
    "times": pl.Series([dt.time(10, 30), None]),
    "spans": pl.Series([dt.timedelta(hours=1), None]),
    "nothing": pl.Series([None, None]),
}


@pytest.mark.parametrize("column", list(SCHEMA), ids=lambda c: f"{c.name}:{c.kind}")
@pytest.mark.parametrize("what", TYPED)
def test_a_typed_cell_is_read_alone(what: str, column: Column) -> None:
    schema, series = Schema((column,)), TYPED[what].alias(column.name)
    whole = as_declared(series.to_frame(), schema, HOW).frame
    assert whole.schema == {column.name: dtype_of(column)}
    assert_frame_equal(whole, pl.concat([as_declared(series[i : i + 1].to_frame(), schema, HOW).frame for i in range(len(series))]))


def test_one_spelling_for_one_value_however_it_is_stored() -> None:
    """A gap turns integers into floats, one clock turns dates into moments: what the others become must not show it."""
    schema = Schema((Column("c", "category"),))
    for one, other, texts in (
        ([1, 2], [1.0, 2.0], ["1", "2"]),
        ([dt.date(2020, 1, 31)], [dt.datetime(2020, 1, 31)], ["2020-01-31"]),
        ([True, False], ["true", "false"], ["true", "false"]),
    ):
        for cells in (one, other):
            assert as_declared(pl.DataFrame({"c": cells}), schema, HOW).frame["c"].to_list() == texts


@pytest.mark.parametrize(
    "text, order, made",
    [
        ("2020-01-31", "dmy", dt.datetime(2020, 1, 31)),
        ("2020/1/3", "mdy", dt.datetime(2020, 1, 3)),
        ("31.01.2020", "dmy", dt.datetime(2020, 1, 31)),
        ("01/31/2020", "dmy", None),
        ("01/31/2020", "mdy", dt.datetime(2020, 1, 31)),
        ("31.01.2020", "ymd", None),
        ("20200131", "ymd", dt.datetime(2020, 1, 31)),
        ("2020-02-30", "ymd", None),
        ("2020-01-31T10:30:05.25", "ymd", dt.datetime(2020, 1, 31, 10, 30, 5, 250_000)),
        ("2020-01-31 24:00", "ymd", None),
        ("2020-01-31T23:30:00+02:00", "ymd", dt.datetime(2020, 1, 31, 21, 30)),
        ("2020-01-31T23:30Z", "ymd", dt.datetime(2020, 1, 31, 23, 30)),
        ("yesterday", "ymd", None),
    ],
)
def test_a_moment_is_read_by_the_declared_order(text: str, order: str, made: dt.datetime | None) -> None:
    assert moments(pl.Series(["x", text]), order=order).to_list() == [None, made]


def test_numbers_are_read_in_the_declared_punctuation_and_in_no_other() -> None:
    schema = Schema((Column("n", "number"),))
    cells = pl.DataFrame({"n": ["1.234,5", "1,5", "1.5", "1.234", "12.34", "1e3", " 7 ", "0x10", "1_000", "٣", "+5", ",5", "1e999", ""]})
    assert as_declared(cells, schema, HOW).frame["n"].to_list() == [1234.5, 1.5, None, 1234.0, None, 1000.0, 7.0, None, None, None, 5.0, 0.5, None, None]
    plain = as_declared(cells, schema, Declared())
    assert plain.frame["n"].to_list() == [None, None, 1.5, 1.234, 12.34, 1000.0, 7.0, None, None, None, 5.0, None, None, None]
    assert plain.unread == {"n": 7}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "hz", "iso2022_jp", "cp037", "rot13", "base64"])
def test_an_encoding_in_which_a_byte_can_shift_the_rest_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(BadInput, match="other patients' lines") as refused:
        list(lines.blocks(tmp_path / "t.csv", separator=",", encoding=encoding))
    assert "UTF-8" in refused.value.hint


@pytest.mark.parametrize("content, said", [(b"", "empty"), (b"\n\n", "empty"), (b"a;a\n1;2\n", "share a name"), (b"1.5;2.5\n3;4\n", "looks like data")])
def test_a_header_that_is_none(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableUnreadable, match=said):
        list(lines.blocks(tmp_path / "t.csv", separator=";", encoding="utf-8"))


def test_columns_that_the_study_does_not_name_are_counted_not_told(tmp_path: Path) -> None:
    """A file without a line of names has patients there."""
    (tmp_path / "t.csv").write_text("Mary Smith;x\nPeter;1\n")
    with pytest.raises(BadInput, match=r"2 column\(s\)") as refused:
        list(read_declared(tmp_path / "t.csv", Schema((Column("n", "number"),)), HOW))
    assert "Mary" not in str(refused.value)


def test_rows_that_are_nobodys_are_left_out_and_counted(tmp_path: Path) -> None:
    """A person with five rows without a name would be five patients; a line in two pieces would be two."""
    schema = Schema((Column("id", "text", "identifier"), Column("n", "integer")), unit="id")
    (tmp_path / "t.csv").write_text('id;n\na;1\n;2\nNA;3\nb;4;5\n"c;6\nd;7\n')
    (block,) = read_declared(tmp_path / "t.csv", schema, HOW)
    assert block.frame.rows() == [("a", 1), ("d", 7)]
    assert (block.n_rows, block.malformed, block.unnamed) == (6, 2, 2)
    (row,) = read_declared(tmp_path / "t.csv", Schema(schema.columns), Declared(separator=";"))
    assert row.frame["n"].to_list() == [1, 2, 3, 7]
    (public,) = read_declared(tmp_path / "t.csv", Schema(schema.columns), Declared(separator=";", keep_malformed=True))
    assert public.frame["n"].to_list() == [1, 2, 3, None, None, 7]


def test_a_listed_word_is_missing_however_its_column_is_stored() -> None:
    schema = Schema((Column("n", "integer"), Column("c", "category")))
    how = Declared(missing=("-9",))
    for cells in ([1, -9, 3], [1.0, -9.0, 3.0], ["1", "-9", "3"]):
        made = as_declared(pl.DataFrame({"n": cells, "c": cells}), schema, how).frame
        assert made["n"].to_list() == [1, None, 3]
        assert made["c"].to_list() == ["1", None, "3"]
