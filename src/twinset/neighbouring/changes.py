"""What one patient can do to a file: the ways in which two neighbouring files differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twinset.core.seeds import Rng, stream
from twinset.neighbouring.sorts import Field, Form
from twinset.neighbouring.tables import Case, Row, patient

ENDS = 0.15  # of the changed rows: those that stand first in the file, and those that stand last
ALL_ROWS = 0.3  # of the patients with several rows: those that are odd in each of them
Cell = Callable[[Field, Form, str, Rng], str | None]  # an odd cell for this column, of the ordinary one; None = it makes no sense there
Line = Callable[[Row, bytes, Form], bytes]


@dataclass(frozen=True, repr=False)
class Pair:
    """Two neighbouring files. ``kind``: what the one patient did; ``column``: where ("" = a whole row); ``sort``: of that column."""

    one: Case
    other: Case
    kind: str
    column: str = ""
    sort: str = ""

    def __repr__(self) -> str:
        return f"Pair({self.kind!r}, column = {self.column!r} ({self.sort}), {self.one!r})"


def change(case: Case, kind: str, rng: Rng) -> Pair:
    """A neighbour of ``case``: one patient more (fewer, exchanged), odd in the way that ``kind`` says.

    Under add-remove the patient is added (or removed); under replace they take the place of another. Where a kind makes no sense
    for the case (a clock where there is no date), another kind of cell is taken that does.
    """
    if kind in CELLS and not _places(case, kind):
        kind = str(rng.choice([k for k in CELLS if _places(case, k)]))
    if kind == "one patient fewer" and case.relation == "add-remove":
        gone = int(rng.choice(case.patients))
        return Pair(case, case.with_rows([r for r in case.rows if r.patient != gone]), kind)
    fresh, column = _odd(case, kind, rng)
    other = _exchanged(case, fresh, rng) if case.relation == "replace" else _added(case, fresh, rng)
    found = next((f for f in case.fields if f.name == column), None)
    return Pair(case, other, kind, column, found.sort if found else "")


def _odd(case: Case, kind: str, rng: Rng) -> tuple[list[Row], str]:
    """The new patient's rows, and the column they are odd in.

    What a patient is follows the reading: a line of a text file is a row. So where the number of rows is public, a line stays one line.
    """
    rows = patient(case, max(case.patients) + 1 + int(rng.integers(50)), rng)
    where = range(len(rows)) if rng.random() < ALL_ROWS else [int(rng.integers(len(rows)))]
    counted = case.form.suffix == "csv" and case.relation == "replace" and not case.named
    if counted and kind in OTHER_LINES:
        return rows, ""
    if kind in LINES and case.form.suffix == "csv":
        return [replace(r, raw=_raw(r, kind, case)) if i in where else r for i, r in enumerate(rows)], ""
    if kind == "nothing known":
        return [replace(r, cells=tuple(c if f.name == case.unit else "" for f, c in zip(case.fields, r.cells, strict=True))) for r in rows], ""
    if kind == "a row that is there already":
        return ([*rows, rows[0]] if case.named else [replace(rows[0], cells=case.rows[int(rng.integers(len(case.rows)))].cells)]), ""
    if kind not in CELLS:
        return rows, ""
    place = int(rng.choice(_places(case, kind)))
    field = case.fields[place]
    cell = CELLS[kind](field, case.form, rows[0].cells[place], rng)
    assert cell is not None
    where = range(len(rows)) if field.name == case.unit else where
    made = [replace(r, cells=(*r.cells[:place], cell, *r.cells[place + 1 :])) if i in where else r for i, r in enumerate(rows)]
    return made, field.name


def _places(case: Case, kind: str) -> list[int]:
    """The columns in which this kind of cell makes sense."""
    rng = stream(0, kind)
    return [i for i, f in enumerate(case.fields) if CELLS[kind](f, case.form, "1", rng) is not None]


def _raw(row: Row, kind: str, case: Case) -> bytes:
    plain = case.with_rows([row]).text().split(b"\n", 1)[1]
    return LINES[kind](row, plain.rstrip(b"\n"), case.form) + b"\n"


def _added(case: Case, fresh: Sequence[Row], rng: Rng) -> Case:
    rows = list(case.rows)
    for row in fresh:
        rows.insert(_place(len(rows), rng), row)
    return case.with_rows(rows)


def _place(n: int, rng: Rng) -> int:
    u = rng.random()
    return 0 if u < ENDS else n if u > 1 - ENDS else int(rng.integers(n + 1))


def _exchanged(case: Case, fresh: Sequence[Row], rng: Rng) -> Case:
    """In the places of the patient who goes; rows beyond those follow the last of them."""
    order = case.patients
    gone = order[_place(len(order) - 1, rng)]
    places = [i for i, r in enumerate(case.rows) if r.patient == gone]
    rows: list[Row] = []
    for i, row in enumerate(case.rows):
        if row.patient != gone:
            rows.append(row)
            continue
        at = places.index(i)
        rows += fresh[at:] if i == places[-1] else fresh[at : at + 1]
    return case.with_rows(rows)


def _for(*sorts: str) -> Callable[[Cell], Cell]:
    """The odd cell only in columns whose sort begins with one of these words."""

    def limited(make: Cell) -> Cell:
        return lambda field, form, cell, rng: make(field, form, cell, rng) if field.sort.startswith(sorts) else None

    return limited


def _words(*texts: str) -> Cell:
    return lambda field, form, cell, rng: str(rng.choice(texts))


def _spelling(field: Field, form: Form, cell: str, rng: Rng) -> str:
    if field.sort.startswith("yes"):
        return str(rng.choice(["TRUE", "False", "1", "yes", "T"]))
    if field.sort.startswith(("word", "name", "note")):
        return (cell or "north").upper()
    if field.sort.startswith("date"):
        return str(rng.choice(["2000-1-2", "2/1/2000", "20000102", "02-Jan-2000"]))
    plain = cell or "1"
    whole = plain.split(form.decimal)[0]
    return str(rng.choice([f"{whole}{form.decimal}0", f"0{plain}", f"+{plain}", f"{whole}{form.decimal}", f"{whole}e0", f"{plain}{form.decimal}000"[:12]]))


def _clock(field: Field, form: Form, cell: str, rng: Rng) -> str:
    return (cell or form.day(dt.date(1995, 5, 5))).split(" ")[0] + str(rng.choice([" 13:45", "T13:45:10", " 13:45:10.25", "T13:45:00Z", " 00:00:00"]))


def _order(field: Field, form: Form, cell: str, rng: Rng) -> str:
    other = {"ymd": "dmy", "dmy": "mdy", "mdy": "dmy"}[form.date_order]
    return replace(form, date_order=other).day(dt.date(1995, 5, int(rng.integers(13, 29))))


CELLS: dict[str, Cell] = {
    "a text among others": _words("ask the ward", "x", "see letter of May"),
    "a level more": _for("word", "whole", "fraction", "codes", "figures", "yes")(_words("elsewhere", "7", "4.25", "03", "maybe")),
    "out of bounds": _for("number", "integer", "date")(_words("-987654", "123456789", "1850-01-01", "2149-12-31")),
    "a clock on a date": _for("date")(_clock),
    "another decimal sign": lambda field, form, cell, rng: f"{rng.integers(1, 9)}{'.' if form.decimal == ',' else ','}5",
    "signs for thousands": _words("1,234", "1.234", "1 234", "1,234.5", "1.234,5"),
    "another spelling": _spelling,
    "another order of the date": _for("date")(_order),
    "a sign for missing": _words("NA", "N/A", "?", ".", "-", "null", "NaN", "missing", "-9"),
    "a gap": _words(""),
    "quotation marks": _words('say "ah"', '"', '""', "'", '"quoted"'),
    "a separator in quotes": lambda field, form, cell, rng: f"{cell}{form.separator}{cell}",
    "a line break in quotes": _words("two\nlines", "two\r\nlines", "\n"),
    "a huge number": _words("1e308", "1e400", "9" * 25, "-9223372036854775808", "18446744073709551616", "1e-320"),
    "not a finite number": _words("inf", "-inf", "nan", "Infinity", "-0.0", "-0"),
    "blanks around": lambda field, form, cell, rng: str(rng.choice([f" {cell}", f"{cell}  ", f"\u00a0{cell}", " "])),
    "an id of another kind": _for("record", "name")(_words("A104000", "104000.5", "1e5", "0104000", "104000.0")),
    "no id": _for("record", "name")(_words("", "NA")),
    "letters of elsewhere": _words("Żółć", "É", "☃", "\ufeff", "İstanbul", "ß", "e\u0301"),
    "a long text": _words("x" * 5000),
    "a zero in front": _words("007", "00", "01", "-01"),
    "a year or a day in figures": _words("20010203", "36526", "2001"),
    "a formula": _words("=1+1", "#REF!", "#DIV/0!", "@x"),
}
LINES: dict[str, Line] = {
    "an open quotation mark": lambda row, line, form: b'"' + line,
    "a quotation mark inside": lambda row, line, form: line[:-1] + b'x"y',
    "a closed quotation with more after it": lambda row, line, form: line + b'"z"w',
    "a field too few": lambda row, line, form: line.rpartition(form.separator.encode())[0] or b"x",
    "a field too many": lambda row, line, form: line + form.separator.encode() + b"more",
    "a byte that is no letter": lambda row, line, form: line + b"\xff\xfe",
    "a zero byte": lambda row, line, form: line + b"\x00",
    "an empty line": lambda row, line, form: b"",
    "only separators": lambda row, line, form: form.separator.encode() * (len(row.cells) - 1),
    "a carriage return inside": lambda row, line, form: line[:-1] + b"\r" + line[-1:],  # not in the name, which stands first
    "another line end": lambda row, line, form: line + b"\r",
    "one field": lambda row, line, form: b"x",
}
WHOLE = ("one patient more", "one patient fewer", "nothing known", "a row that is there already")
OTHER_LINES = ("an empty line", "a line break in quotes")  # no neighbour where the number of lines is public
KINDS = (*WHOLE, *CELLS, *LINES)
