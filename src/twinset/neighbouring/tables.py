"""Invented tables as files hold them: rows of text that belong to patients, and the study that declares them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from twinset.core.seeds import Rng
from twinset.io.toml import key, toml
from twinset.neighbouring.sorts import MODELLED, Field, Form, field_of, fields
from twinset.study import Study

PRIVATE = ("mst", "aim", "bayesian_network")
WORDS = ("", "NA", "missing", "-9")  # that a study may declare as missing
GIVEN = 2
GAPS = 0.08  # of all cells
MISDECLARED = 0.08  # of the studies: those whose declaration is not how the file is written
SHARES = {"row": 0.5, "csv": 0.9, "replace": 0.3, "in place": 0.2}


@dataclass(frozen=True, repr=False)
class Row:
    """One line of a file: a patient's cells, or the bytes of a line that no proper writer would write."""

    patient: int
    cells: tuple[str, ...]
    raw: bytes = b""


@dataclass(frozen=True, repr=False)
class Case:
    """A table of invented patients with its study.

    ``form``: how the file is written; ``said``: how the study says it is. ``unit``: "row", or the column that names the patient.
    """

    fields: tuple[Field, ...]
    rows: tuple[Row, ...]
    form: Form
    said: Form
    unit: str = "row"
    per_patient: int = 1
    relation: str = "add-remove"
    epsilon: float = 1.0
    delta: float = 1e-9
    sections: Mapping[str, Mapping[str, Any]] | None = None
    in_place: bool = False
    rules: tuple[Mapping[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"Case({len(self.fields)} columns, {len(self.rows)} rows, unit = {self.unit!r}, {self.relation}, {self.form.suffix})"

    @property
    def named(self) -> bool:
        """Whether a column names the patient."""
        return self.unit != "row"

    @property
    def patients(self) -> tuple[int, ...]:
        """All patients, by where they first appear."""
        return tuple(dict.fromkeys(r.patient for r in self.rows))

    def with_rows(self, rows: Sequence[Row]) -> Case:
        """The same study of other rows."""
        return replace(self, rows=tuple(rows))

    def write(self, folder: Path) -> Path:
        """``table.csv`` (or ``.parquet``) and ``study.toml`` in ``folder``; gives the study's path."""
        path = folder / f"table.{self.form.suffix}"
        if self.form.suffix == "csv":
            path.write_bytes(self.text())
        else:
            self.frame().write_parquet(path)
        study = folder / "study.toml"
        study.write_text(self.study(), encoding="utf-8")
        return study

    def text(self) -> bytes:
        """The file: a proper writer's work, but for raw lines."""
        lines = [_line([f.name for f in self.fields], self.form)]
        lines += [r.raw or _line(r.cells, self.form) for r in self.rows]
        return b"".join(lines)

    def frame(self) -> pl.DataFrame:
        """The table with types, as pandas would store these cells: whole numbers become fractions by one gap, anything by one text."""
        columns = list(zip(*(r.cells for r in self.rows), strict=True)) or [()] * len(self.fields)
        return pl.DataFrame([_stored(f.name, cells, self.form) for f, cells in zip(self.fields, columns, strict=True)])

    def study(self) -> str:
        """The study file."""
        said = self.said
        data: dict[str, Any] = {"path": f"table.{said.suffix}", "missing": list(said.missing), "date_order": said.date_order, "unit": self.unit}
        if said.suffix == "csv":
            data |= {"separator": said.separator, "decimal": said.decimal, "encoding": said.encoding}
        data |= {"thousands": said.thousands} if said.thousands else {}
        data |= {"per_patient": self.per_patient} if self.named else {}
        data |= {"in_place": True} if self.in_place else {}
        privacy = {"epsilon": self.epsilon, "delta": self.delta, "unit": self.unit, "relation": self.relation}
        sections: dict[str, Mapping[str, Any]] = {
            "data": data,
            "privacy": privacy,
            "policy": {"checks": []},
            "policy.output": {"foretold": 1},
            **(self.sections or {}),
        }
        columns = {f"columns.{key(f.name)}": f.declared for f in self.fields}
        parts = [*((f"[{name}]", keys) for name, keys in {**sections, **columns}.items()), *(("[[rules]]", keys) for keys in self.rules)]
        return "\n".join(f"{head}\n" + "".join(f"{k} = {toml(v)}\n" for k, v in keys.items()) for head, keys in parts)


def invent(rng: Rng, *, number: int = 0, generator: str = "", patients: tuple[int, int] = (40, 90)) -> Case:
    """A random table and a random study of it: sorts of columns, form of the file, unit, relation, epsilon, generator.

    Tables with consecutive ``number`` have all sorts among them: two of each are given, the others drawn by lot.
    """
    given = [MODELLED[(GIVEN * number + i) % len(MODELLED)] for i in range(GIVEN)]
    names = dict(zip("abcdef", [*given, *map(str, rng.choice(MODELLED, int(rng.integers(0, 4))))], strict=False))
    unit = "row" if rng.random() < SHARES["row"] else "id"
    identifier = str(rng.choice(["record number", "name"]))
    if unit == "id" or rng.random() < 0.6:
        names = {"id": identifier, **names}
    if rng.random() < 0.3:
        names["note"] = "note"
    form = _form(rng)
    chosen: dict[str, Mapping[str, Any]] = {"generator": {"name": generator or str(rng.choice(PRIVATE))}, "release": {"n": 0 if rng.random() < 0.5 else 40}}
    case = Case(
        fields(names, rng),
        (),
        form,
        _said(form, rng) if rng.random() < MISDECLARED else form,
        unit,
        int(rng.integers(1, 4)),
        "replace" if rng.random() < SHARES["replace"] else "add-remove",
        float(rng.choice([1.0, 10.0, 100.0])),
        sections=chosen,
    )
    placed = replace(case, in_place=case.relation == "add-remove" and rng.random() < SHARES["in place"])
    return placed.with_rows(_rows(case, int(rng.integers(*patients)), rng))


def invent_for(study: Study, rng: Rng, *, patients: tuple[int, int] = (60, 120), generator: str = "") -> Case:
    """Invented patients for somebody's study: its columns, reading, terms, rules, limits on the output, generator. Its own table is never opened.

    What is not carried over: the section "What it cannot see" of docs/audit-dp.md.
    """
    data, terms = study.data, study.privacy
    suffix = "parquet" if study.table.suffix == ".parquet" else "csv"
    form = Form(data.separator or ",", data.decimal or ".", data.encoding or "utf-8", data.date_order or "ymd", data.missing, suffix, data.thousands)
    written = form if suffix == "csv" else replace(form, decimal=".", thousands="")  # a number that is stored as one has no signs
    declared = {n: {("type" if k == "kind" else k): v for k, v in part.model_dump(exclude_defaults=True).items()} for n, part in study.columns.items()}
    settings = {"name": generator} if generator else {"name": study.generator.name, **(study.generator.model_extra or {})}
    case = Case(
        tuple(field_of(n, d) for n, d in declared.items()),
        (),
        written,
        form,
        data.unit,
        max(1, data.per_patient),
        terms.relation if terms else "add-remove",
        terms.epsilon if terms else 1.0,
        terms.delta if terms else 1e-9,
        {"generator": settings, **_public(study)},
        data.in_place,
        tuple(r.model_dump(exclude_defaults=True) for r in study.rules),
    )
    return case.with_rows(_rows(case, int(rng.integers(*patients)), rng))


def _public(study: Study) -> dict[str, Mapping[str, Any]]:
    """Sections that hold no secret: how much is released and how, the share held out, limits on the output."""
    return {
        "release": study.release.model_dump(include={"n", "format", "label"}),
        "holdout": {"fraction": study.holdout.fraction},
        "policy.output": study.policy.output.model_dump(exclude_none=True) | {"foretold": 1},
    }


def patient(case: Case, number: int, rng: Rng) -> list[Row]:
    """The ordinary rows of one invented patient."""
    n_rows = int(rng.integers(1, case.per_patient + 3)) if case.named and rng.random() < 0.4 else 1
    return [Row(number, tuple(_cell(case, f, rng, number) for f in case.fields)) for _ in range(n_rows)]


def _rows(case: Case, n: int, rng: Rng) -> list[Row]:
    """All patients' rows, in an order that mixes them."""
    rows = [row for number in range(n) for row in patient(case, number, rng)]
    return [rows[i] for i in rng.permutation(len(rows))]


def _cell(case: Case, field: Field, rng: Rng, number: int) -> str:
    known = field.name == case.unit or field.declared.get("role") == "identifier"
    if not known and rng.random() < GAPS:
        return str(rng.choice(["", *case.form.missing]))
    return field.cell(case.form, rng, patient=number)


def _form(rng: Rng) -> Form:
    separator = str(rng.choice([",", ";", "\t", "|"]))
    decimal = "." if separator == "," or rng.random() < 0.5 else ","
    missing = tuple(w for w in WORDS if w and rng.random() < 0.3)
    encoding = str(rng.choice(["utf-8", "utf-8", "latin-1"]))
    suffix = "csv" if rng.random() < SHARES["csv"] else "parquet"
    if suffix == "parquet":
        separator, decimal, encoding = ",", ".", "utf-8"
    return Form(separator, decimal, encoding, str(rng.choice(["ymd", "dmy", "mdy"])), missing, suffix)


def _said(form: Form, rng: Rng) -> Form:
    """A declaration that is wrong in one thing."""
    others = [replace(form, missing=()), replace(form, date_order="mdy" if form.date_order == "dmy" else "dmy")]
    if form.suffix == "csv" and form.separator != ",":
        others.append(replace(form, decimal="," if form.decimal == "." else "."))
    return others[int(rng.integers(len(others)))]


def _line(cells: Sequence[str], form: Form) -> bytes:
    """One line as the csv module writes it."""
    out = io.StringIO()
    csv.writer(out, delimiter=form.separator, lineterminator="\n").writerow(cells)
    return out.getvalue().encode(form.encoding, errors="replace")


def _stored(name: str, cells: Sequence[str], form: Form) -> pl.Series:
    """Whole numbers, fractions, booleans, dates or text: whatever all the cells are."""
    present = [c for c in cells if c]
    for read, dtype in ((_whole, pl.Int64), (_fraction, pl.Float64), (_flag, pl.Boolean), (_iso, pl.Date)):
        try:
            values = [read(c) if c else None for c in cells]
        except (ValueError, KeyError):
            continue
        gap = dtype == pl.Int64 and len(present) < len(cells)
        if not present or (dtype == pl.Int64 and any(abs(int(c)) >= 2**63 for c in present)):
            continue
        return pl.Series(name, values, dtype=pl.Float64 if gap else dtype, strict=False)
    return pl.Series(name, [c or None for c in cells], dtype=pl.String)


def _whole(text: str) -> int:
    """A whole number, if the text is all that it says: not one with zeros in front, which are part of a code."""
    if str(int(text)) != text:
        raise ValueError
    return int(text)


def _fraction(text: str) -> float:
    """A number, but no code with zeros in front."""
    if text.lstrip("-")[:1] == "0" and text.lstrip("-")[1:2].isdigit():
        raise ValueError
    return float(text)


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _iso(text: str) -> dt.date:
    return dt.date.fromisoformat(text)
