"""Bad tables: each is answered with an error of ours, a hint, and nothing of what the cells hold; or it works where it should."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from twinset.draft import draft
from twinset.errors import BadInput
from twinset.io.infer import infer_schema
from twinset.io.read import read, read_table

SECRET = "Zebulon-Quill"

BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("t.csv", b"", "empty"),
    "blank": ("t.csv", b"\n\n  \n", "empty"),
    "header only": ("t.csv", f"a,{SECRET}\n".encode(), "no rows"),
    "header only, no line end": ("t.csv", b"a,b", "no rows"),
    "shared names": ("t.csv", f"{SECRET},b,{SECRET}\n1,2,3\n".encode(), "columns 1 and 3 share a name"),
    "no header": ("t.csv", f"61,2.5,{SECRET}\n43,3.5,x\n".encode(), "looks like data"),
    "ragged, longer": ("t.csv", f"a,b\n1,2\n3,4,{SECRET}\n".encode(), "line 3 has 3 fields, the header 2"),
    "ragged, shorter": ("t.csv", f"a,b,c\n1,2,3\n{SECRET}\n".encode(), "line 3 has 1 fields, the header 3"),
    "ragged, after a quoted line break": ("t.csv", f'a,b\n"x\ny",2\n3,4,{SECRET}\n'.encode(), "line 4 has 3 fields"),
    "ragged, far down": ("t.csv", b"a,b\n" + b"1,2\n" * 100_000 + f"{SECRET}\n".encode(), "line 100002 has 1 fields"),
    "row names without a name": ("t.csv", f"a,b\n1,2,{SECRET}\n2,3,4\n".encode(), "line 2 has 3 fields"),
    "an open quote": ("t.csv", f'a,b\n1,"{SECRET}\n2,3\n4,5\n'.encode(), ""),
    "binary": ("t.csv", bytes(range(256)) * 40 + SECRET.encode(), "not a text table"),
    "binary from the start": ("t.csv", b"\x00\x01\x02\x03" * 100, "not a text table"),
    "a workbook called csv": ("t.csv", b"PK\x03\x04" + b"x" * 100, "Excel"),
    "parquet called csv": ("t.csv", b"PAR1" + b"x" * 100, "Parquet"),
    "csv called parquet": ("t.parquet", f"a,b\n1,{SECRET}\n".encode(), "not a Parquet file"),
    "csv called arrow": ("t.arrow", f"a,b\n1,{SECRET}\n".encode(), "not an Arrow file"),
    "csv called xlsx": ("t.xlsx", f"a,b\n1,{SECRET}\n".encode(), "no table can be read"),
    "csv called xpt": ("t.xpt", f"a,b\n1,{SECRET}\n".encode(), "not a .xpt file"),
    "csv called sav": ("t.sav", f"a,b\n1,{SECRET}\n".encode(), "not a .sav file"),
    "csv called dta": ("t.dta", f"a,b\n1,{SECRET}\n".encode(), "not a .dta file"),
    "csv called sas7bdat": ("t.sas7bdat", f"a,b\n1,{SECRET}\n".encode(), "not a .sas7bdat file"),
    "csv called duckdb": ("t.duckdb", f"a,b\n1,{SECRET}\n".encode(), "not a DuckDB file"),
    "unknown suffix": ("t.docx", b"x", "cannot read"),
    "undefined in every guess": ("t.csv", b"a,b\n1,caf\x81\n2,\x8d\n", "encoding cannot be told"),
}


def refused(path: Path, **options: str) -> str:
    with pytest.raises(BadInput) as caught:
        read_table(path, **options)
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\nhint: " in message
    assert SECRET not in message
    assert str(path.parent) not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


@pytest.mark.parametrize("case", BAD)
def test_refused_with_a_reason_and_no_cell(tmp_path: Path, case: str) -> None:
    name, content, reason = BAD[case]
    (tmp_path / name).write_bytes(content)
    assert reason in refused(tmp_path / name)


def test_the_wrong_separator_and_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"a;b\n1;{SECRET}\n".encode())
    assert "single column" in refused(path, separator=",")
    assert "single plain character" in refused(path, separator="ab")
    path.write_bytes(f"name,b\nMüller,{SECRET}\n".encode("cp1252"))
    assert "not in the encoding utf-8" in refused(path, encoding="utf-8")
    assert "not in the encoding utf-16" in refused(path, encoding="utf-16")
    assert "no such encoding" in refused(path, encoding="klingon")
    assert "point or a comma" in refused(path, decimal=";")
    path.write_bytes(f"lab,b\n1,{SECRET}\n1,5,{SECRET}\n".encode())
    assert "line 3" in refused(path)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "folder" in refused(tmp_path / "folder.csv")
    assert "no such file" in refused(tmp_path / "nobody.csv")


def test_workbooks_without_a_table(tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(tmp_path / "empty.xlsx")) as book:
        book.add_worksheet("nothing")
    refused(tmp_path / "empty.xlsx")
    with xlsxwriter.Workbook(str(tmp_path / "shared.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "a"])
        sheet.write_row(1, 0, [1, SECRET])
    assert "share a name" in refused(tmp_path / "shared.xlsx")
    with zipfile.ZipFile(tmp_path / "no.xlsx", "w") as archive:
        archive.writestr("x", SECRET)
    refused(tmp_path / "no.xlsx")


def test_nested_columns(tmp_path: Path) -> None:
    pl.DataFrame({"a": [[1, 2]], "b": [SECRET]}).write_parquet(tmp_path / "t.parquet")
    assert "lists" in refused(tmp_path / "t.parquet")


def test_a_reading_does_not_show_its_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,{SECRET} \n" + "2,x\n" * 30)
    reading = read(path)
    assert SECRET not in repr(reading)
    assert SECRET not in " ".join(reading.notes)


def test_one_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex\n61,f\n")
    assert read_table(tmp_path / "t.csv").rows() == [(61, "f")]
    assert "[columns.age]" in draft(tmp_path / "t.csv")


def test_all_missing_and_constant_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("gone,same,na,x\n" + ",7,NA,1.5\n,7,NA,2\n" * 20)
    frame = read_table(tmp_path / "t.csv")
    assert frame["gone"].null_count() == 40
    schema = infer_schema(frame)
    assert schema["gone"].levels == ()
    assert schema["same"].levels == (7,)
    text = draft(tmp_path / "t.csv")
    assert "all missing" in text
    assert "one value only" in text


def test_mixed_types_in_a_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("bmi\n" + "<19\n22\n>=30\n25.5\n" * 10)
    frame = read_table(tmp_path / "t.csv")
    assert frame["bmi"].dtype == pl.String
    assert infer_schema(frame)["bmi"].levels == ("22", "25.5", "<19", ">=30")


def test_ten_thousand_columns(tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(10_000)]
    (tmp_path / "t.csv").write_text(",".join(names) + "\n" + "\n".join(",".join(str((i * j) % 7) for i in range(10_000)) for j in range(12)) + "\n")
    frame = read_table(tmp_path / "t.csv")
    assert frame.shape == (12, 10_000)
    assert len(infer_schema(frame)) == 10_000


def test_a_million_levels(tmp_path: Path) -> None:
    pl.DataFrame({"code": [f"c{i}" for i in range(1_000_000)], "age": [i % 90 for i in range(1_000_000)]}).write_csv(tmp_path / "t.csv")
    schema = infer_schema(read_table(tmp_path / "t.csv"))
    assert schema["code"].kind == "text"
    assert schema.synthesised.names == ("age",)
