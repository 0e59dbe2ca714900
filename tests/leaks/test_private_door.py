"""The private door: everything before the vault is a function of one row and the study.

Each table here was released at epsilon = 1 on the public path. One patient more moved 1,707 others to the other side, or changed how every
cell of a column was read. Here the door itself is tried: the same file with one line more, and everything but that line must be the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from twinset.core.cohort import Cohort
from twinset.door import in_place, read
from twinset.dp import discover
from twinset.dp.tables import MemoryTable
from twinset.private import halves
from twinset.study import Study, parse
from twinset.table import read_cohort

HEAD = """
[data]
path = "t.csv"
separator = ";"
decimal = "."
encoding = "utf-8"
missing = []
date_order = "dmy"
unit = "{unit}"
per_patient = 2
[generator]
name = "mst"
[privacy]
epsilon = 1
unit = "{unit}"
{columns}
"""


def study(columns: dict[str, str], folder: Path, *, unit: str = "row", more: str = "") -> Study:
    parts = "\n".join(f"[columns.{name}]\n{text}\n" for name, text in columns.items())
    return parse(HEAD.format(unit=unit, columns=parts) + more, folder=folder)


def train_of(made: Study, lines: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The two sides of a file of these lines."""
    (made.folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert made.privacy is not None
    train, holdout = halves(made, read_cohort(made), made.privacy)
    return train.frame, holdout.frame


def others_are_the_same(made: Study, lines: list[str], extra: str, mark: str) -> None:
    """Neither sides, nor kept rows, nor dtypes, nor any value of the others change by one line more. ``mark``: the id of the line's patient."""
    before, after = train_of(made, lines), train_of(made, [*lines, extra])
    for less, more in zip(before, after, strict=True):
        rest = more.filter(pl.col("mrn").ne_missing(mark))
        assert less.schema == rest.schema
        assert less.equals(rest)
        assert len(more) - len(rest) <= 1


@pytest.mark.parametrize("unit", ["row", "mrn"])
@pytest.mark.parametrize("odd", ["A104000", "104000", "0104000", "1e5", "", "NA", "12.0"])
def test_an_id_of_another_kind_moves_nobody(tmp_path: Path, unit: str, odd: str) -> None:
    """A hash of found dtypes moved 1,707 of 4,000: the hash of 100001 is not that of "100001"."""
    made = study({"mrn": 'type = "text"\nrole = "identifier"', "x": 'type = "integer"'}, tmp_path, unit=unit)
    lines = ["mrn;x", *(f"{100_000 + i};{i % 7}" for i in range(400))]
    before, after = train_of(made, lines), train_of(made, [*lines, f"{odd};3"])
    known = {str(100_000 + i) for i in range(400)}
    for less, more in zip(before, after, strict=True):
        assert set(less["mrn"]) <= known
        assert set(less["mrn"]) == set(more["mrn"]) & known
        assert less["x"].dtype == more["x"].dtype
        assert less.equals(more.filter(pl.col("mrn").is_in(sorted(known))))


READ = {
    "whole numbers with gaps": ('type = "category"', ["1.0", "2.0"], "x"),
    "a missing word": ('type = "category"', ["1", "2", "NA"], "x"),
    "booleans": ('type = "category"', ["True", "False"], "maybe"),
    "dates as levels": ('type = "category"', ["25/01/2020", "26/01/2020"], "x"),
    "decimals": ('type = "category"', ["1.50", "1.25"], "x"),
    "grouped thousands": ('type = "category"', ["1,234", "2,345"], "x"),
    "leading zeros": ('type = "category"\nlevel_type = "integer"', ["1", "2"], "007"),
    "a decimal comma": ('type = "number"', ["1.100", "4.999"], "1,5"),
    "text among numbers": ('type = "number"', ["1.5", "2.5"], "high"),
    "a fraction among integers": ('type = "integer"', ["1", "2"], "1.5"),
    "a huge integer": ('type = "integer"', ["1", "2"], "99999999999999999999"),
    "infinity": ('type = "number"', ["1", "2"], "inf"),
    "a clock": ('type = "date"', ["25/01/2020", "01/02/2020"], "26/01/2020 10:30"),
    "a clock on a moment": ('type = "datetime"', ["25/01/2020", "01/02/2020"], "26/01/2020 10:30"),
    "an american date": ('type = "date"', ["01/02/2020", "03/04/2020"], "12/31/2020"),
    "a level nobody declared": ('type = "category"\nlevels = ["a", "b"]\norigin = "public"', ["a", "b"], "c"),
    "a level of another type": ('type = "category"\nlevels = [1, 2]\norigin = "public"', ["1", "2"], "x"),
    "an empty column": ('type = "datetime"', ["", ""], "26/01/2020 10:30"),
    "a quotation mark": ('type = "category"', ["a", "b"], 'say "so'),
    "an open quote": ('type = "category"', ["a", "b"], '"a'),
    "a field too many": ('type = "category"', ["a", "b"], "a;b;c"),
    "blanks": ('type = "category"', ["a", "b"], "  a  "),
}


@pytest.mark.parametrize("unit", ["row", "mrn"])
@pytest.mark.parametrize("what", READ)
def test_how_a_cell_is_read_depends_on_that_cell_alone(tmp_path: Path, what: str, unit: str) -> None:
    column, values, odd = READ[what]
    made = study({"mrn": 'type = "text"\nrole = "identifier"', "other": 'type = "number"', "x": column}, tmp_path, unit=unit)
    lines = ["mrn;other;x", *(f"p{i};{i % 5}.125;{values[i % len(values)]}" for i in range(60))]
    for place in (1, 30, len(lines)):
        before, after = train_of(made, lines), train_of(made, [*lines[:place], f"q;1.5;{odd}", *lines[place:]])
        for less, more in zip(before, after, strict=True):
            rest = more.filter(pl.col("mrn").str.starts_with("p").fill_null(False))
            assert less.schema == more.schema
            assert less.equals(rest)
            assert len(more) - len(rest) <= 1


def test_a_byte_order_mark_is_nothing_wherever_it_stands(tmp_path: Path) -> None:
    """The first row lost the mark before its name, until another stood above it: then its name was another, and its side."""
    made = study({"mrn": 'type = "text"', "x": 'type = "integer"'}, tmp_path)
    lines = ["mrn;x", "\ufeffp0;1", *(f"p{i};{i % 7}" for i in range(1, 60))]
    for less, more in zip(train_of(made, lines), train_of(made, [lines[0], "q;3", *lines[1:]]), strict=True):
        assert less.equals(more.filter(pl.col("mrn") != "q"))


def test_a_decimal_comma_in_another_column_changes_nothing(tmp_path: Path) -> None:
    """The mean of 1.100 .. 4.999 was 81 or 3,002, by one cell elsewhere."""
    made = study({"mrn": 'type = "text"', "x": 'type = "number"', "y": 'type = "number"'}, tmp_path)
    lines = ["mrn;x;y", *(f"p{i};{1 + i / 40:.3f};{i}" for i in range(100))]
    others_are_the_same(made, lines, "q;2.000;1,5", "q")


def test_only_what_the_study_declares_is_missing(tmp_path: Path) -> None:
    made = study({"mrn": 'type = "text"', "x": 'type = "category"'}, tmp_path)
    lines = ["mrn;x", *(f"p{i};{'NA' if i % 2 else 'a'}" for i in range(40))]
    frame = pl.concat(train_of(made, lines))
    assert set(frame["x"]) == {"NA", "a"}
    said = made.model_copy(update={"data": made.data.model_copy(update={"missing": ("NA",)})})
    assert set(pl.concat(train_of(said, lines))["x"]) == {None, "a"}


def test_nobody_is_refused_for_what_a_row_holds(tmp_path: Path) -> None:
    """A refusal is an answer: it told, exactly and for nothing, whether some row holds a level that was not declared."""
    made = study({"mrn": 'type = "text"', "x": 'type = "category"\nlevels = ["a", "b"]\norigin = "public"', "n": 'type = "integer"'}, tmp_path)
    frame = pl.concat(train_of(made, ["mrn;x;n", "p1;a;1", "p2;SECRET;two", "p3;b;3"])).sort("mrn")
    assert frame["x"].to_list() == ["a", None, "b"]
    assert frame["n"].to_list() == [1, None, 3]


@pytest.mark.parametrize("unit", ["row", "mrn"])
def test_a_file_counted_in_place_is_the_file_that_is_read(tmp_path: Path, unit: str) -> None:
    """The same patients on the same side, the same rows of each, the same levels, to the integer: one way of reading serves both."""
    columns = {"mrn": 'type = "text"\nrole = "identifier"', "other": 'type = "number"\nlow = 0\nhigh = 9\norigin = "public"'}
    columns |= {"x": 'type = "category"', "day": 'type = "date"', "k": 'type = "category"\nlevel_type = "integer"'}
    made = study(columns, tmp_path, unit=unit)
    odd = ["1", "1.0", "NA", "", "a", " a ", '"a"', "True", "25/01/2020", "x;y", '"open']
    lines = ["mrn;other;x;day;k", *(f"{'' if i % 9 == 0 else i % 60};{i % 11}.5;{odd[i % 11]};{i % 31}/01/2020;{odd[i % 7]}" for i in range(900))]
    train = MemoryTable(Cohort(train_of(made, lines)[0], made.schema_of_columns()))
    file, sample, told = in_place(made)
    whole, again = read(made)
    assert len(file) == len(train)
    assert file.most_rows() == train.most_rows()
    assert dict(file.dtypes) == dict(train.dtypes)
    for name in ("x", "k"):
        (levels, counts), (same, held) = train.levels(name), file.levels(name)
        assert list(levels) == list(same)
        assert counts.tolist() == held.tolist()
    for name in ("other", "day"):
        axis = discover.number_axis(made.schema_of_columns()[name], np.linspace(0.0, 20_000.0, 401))
        assert train.histogram(axis).tolist() == file.histogram(axis).tolist()
    assert (told.n_rows, told.malformed, told.unread, told.sampled) == (again.n_rows, again.malformed, again.unread, len(sample))
    assert len(sample) == len(whole)  # fewer than an audit is given
    assert told.malformed > 0
