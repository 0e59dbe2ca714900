"""A run as one text file: data, schema, rules, endpoints, generator, audit, policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from twinset.checking import declared
from twinset.checking.keys import keys, without
from twinset.checking.plugins import build, sentences
from twinset.core.contracts import Endpoint, Generator
from twinset.core.days import days
from twinset.core.domain import OTHER
from twinset.core.refits import FEWEST
from twinset.core.schema import Column, Kind, Level, Origin, Role, Schema
from twinset.errors import StudyInvalid, collect
from twinset.release.policy import Policy
from twinset.release.terms import Privacy

BOUND: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, {"type": "null"}]}


class Part(BaseModel):
    """A section of the study file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class OpenPart(BaseModel):
    """A section whose further keys belong to the plug-in it names."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Data(Part):
    """Where the table is and how to read it."""

    path: str = Field(description="the table, relative to the study file")
    separator: str | None = Field(None, description="CSV only; found out where absent")
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = Field(None, description="Excel only")
    table: str | None = Field(None, description="DuckDB only")
    missing: tuple[str, ...] = Field((), description="texts that mean missing, besides an empty cell")
    thousands: str = Field("", description='the sign that groups thousands in numbers; "" = none')
    date_order: Literal["ymd", "dmy", "mdy"] | None = Field(None, description="the order of day, month and year in dates written as text")
    in_place: bool = Field(False, description="under [privacy]: count the file where it lies, never load it")
    unit: str = Field("row", description='"row", or the column that names the patient')
    per_patient: int = Field(0, ge=0, description="at most so many rows of each patient; 0 = all")
    keep: Literal["random", "first", "last"] = Field("random", description="which rows of a patient, where per_patient bounds them; in the order of the file")
    where: str = Field("", description='only rows for which this holds, in the language of the rules: "etype == 2"; "" = all')
    widen: str = Field("", description="a column that tells a patient's rows apart; each of its levels becomes a set of columns, and a patient one row")
    header: int = Field(1, ge=1, le=9, description="CSV and Excel: how many lines the header takes; several are joined")


class Holdout(Part):
    """Patients kept away from the generator: the control of every privacy test."""

    fraction: float = Field(0.3, gt=0, lt=0.9)
    seed: int = Field(0, ge=0)


class GeneratorChoice(OpenPart):
    """Which generator; further keys are its settings."""

    name: str = "trees"


class ReleasePlan(Part):
    """How much is made, fixed before anything is scored."""

    n: int = Field(0, ge=0, description="rows of each copy; 0 = as many as train rows")
    copies: int = Field(1, ge=1, le=100, description="all that are made are released")
    format: Literal["csv", "parquet", "xlsx"] = "csv"
    label: str = Field("synthetic_id", description='a column that marks every row as synthetic; "" for none')


class ColumnPart(Part):
    """One column: what it is and where its bounds came from."""

    kind: Kind = Field(alias="type")
    role: Role = ""
    low: float | None = Field(None, description="a number, or a date for a date", json_schema_extra=BOUND)
    high: float | None = Field(None, description="a number, or a date for a date: its whole day, for moments", json_schema_extra=BOUND)
    levels: tuple[Level, ...] = ()
    ordered: bool = False
    missing_codes: tuple[float, ...] = ()
    decimals: int | None = Field(None, ge=0, le=15)
    level_type: Literal["", "text", "integer", "number", "boolean"] = Field("", description="what the levels of a category are, where they are not listed")
    date_order: Literal["", "ymd", "dmy", "mdy"] = Field("", description="where it differs from that of [data]")
    outside: Literal["error", "missing", "other"] = Field(
        "error", description="what becomes of a cell outside the declared levels or bounds; never asked under [privacy]"
    )
    origin: Origin = "private"
    description: str = ""
    identifier: str = ""

    @model_validator(mode="before")
    @classmethod
    def _dates(cls, given: Any) -> Any:
        """Bounds that are written as dates become days since 1970-01-01, as the schema holds them."""
        kind = given.get("type") if isinstance(given, Mapping) else None
        if kind not in ("date", "datetime"):
            return given
        dated = {k: v for k in ("low", "high") if isinstance(v := given.get(k), date)}
        return {**given, **{k: days(v, end=k == "high" and kind == "datetime") for k, v in dated.items()}}

    def __repr__(self) -> str:
        return f"ColumnPart({self.kind}, {self.origin})"


class RulePart(Part):
    """Something that must hold in every row."""

    rule: str
    name: str = ""
    origin: Origin = Field("private", description='"public" if a code book or guideline says so; private rules are refused where privacy is promised')


class EndpointPart(OpenPart):
    """A clinical analysis; further keys are its settings."""

    kind: str = "survival"
    name: str = ""


class AuditPlan(Part):
    """The audit's own randomness and its bound."""

    seed: int = 0
    patients: int = Field(20_000, ge=0, description="attacks and distances look at a random sample of so many patients of each side; 0 = all of them")
    refits: int = Field(
        50,
        ge=0,
        le=1000,
        description="how often the generator is fitted again on resampled patients, for the intervals of declared endpoints; 20 at least, 0 = none",
    )
    refit_cells: int = Field(
        200_000_000, ge=0, description="rows x columns that all refits together may fit and draw; in a larger table there are fewer; 0 = no bound"
    )

    @field_validator("refits")
    @classmethod
    def _steady(cls, given: int) -> int:
        if 0 < given < FEWEST:
            raise ValueError(f"give {FEWEST} or more, or 0 for none: fewer leave the ends of an interval too unsteady")
        return given


class Study(Part):
    """The whole file. Build it with :func:`load` or :func:`parse`; both collect every problem before they raise."""

    name: str = "study"
    seed: int = 0
    audience: str = "external researchers"
    data: Data
    holdout: Holdout = Holdout()
    generator: GeneratorChoice = GeneratorChoice()
    release: ReleasePlan = ReleasePlan()
    columns: dict[str, ColumnPart]
    rules: tuple[RulePart, ...] = ()
    endpoints: tuple[EndpointPart, ...] = ()
    audit: AuditPlan = AuditPlan()
    policy: Policy = Policy()
    privacy: Privacy | None = None
    folder: Path = Field(Path(), exclude=True, description="where the study file lies (not a key of the file)")

    def __repr__(self) -> str:  # bounds and levels may be private
        return f"Study({self.name!r}, {len(self.columns)} columns, generator = {self.generator.name})"

    @property
    def table(self) -> Path:
        return self.folder / self.data.path

    def schema_of_columns(self) -> Schema:
        """The declared schema, with a level ``other`` where an open run makes one. (Pydantic owns the name ``schema``.)"""
        return Schema(self._columns(), unit="" if self.data.unit == "row" else self.data.unit)

    @property
    def known_schema(self) -> Schema:
        """The same, without a patient column where the one that is named does not exist."""
        return Schema(self._columns(), unit=self.data.unit if self.data.unit in self.columns else "")

    @property
    def outside(self) -> dict[str, str]:
        """By column, what becomes of a cell outside its declaration; of an open run only."""
        return {} if self.privacy is not None else {name: part.outside for name, part in self.columns.items()}

    def problems(self) -> list[str]:
        """Everything that is wrong with the study in itself, in sentences. No table is opened."""
        schema = self.known_schema
        found = declared.columns(schema, self.outside) + declared.unit(self.data.unit, schema.names)
        found += _generator({"generator": self.generator.model_dump()})
        found += declared.rules(self.rule_texts, schema.synthesised)[1]
        return found + declared.endpoints(self.analyses, schema)[1] + declared.checks(self.policy.checks, schema)

    def check(self) -> None:
        """Raises StudyInvalid with everything that is wrong with the study in itself."""
        if found := self.problems():
            raise StudyInvalid(collect(found), hint=CORRECT)

    @property
    def rule_texts(self) -> tuple[tuple[str, str], ...]:
        """The rules as (name, text)."""
        return tuple((r.name, r.rule) for r in self.rules)

    @property
    def analyses(self) -> tuple[declared.Analysis, ...]:
        """The endpoints with their settings."""
        return tuple(declared.Analysis(e.kind, e.name, e.model_extra or {}) for e in self.endpoints)

    def _columns(self) -> tuple[Column, ...]:
        made = [Column(name=name, **part.model_dump(exclude={"outside"})) for name, part in self.columns.items()]
        return tuple(dataclasses.replace(c, levels=(*c.levels, OTHER)) if self._makes_other(c) else c for c in made)

    def _makes_other(self, column: Column) -> bool:
        return self.outside.get(column.name) == "other" and bool(column.levels) and OTHER not in column.levels

    def build_generator(self) -> Generator:
        """The generator with its settings; StudyInvalid names every setting that is wrong."""
        from twinset.generators import GENERATORS

        made: Generator = build(GENERATORS, self.generator.name, self.generator.model_extra or {}, section="generator")
        return made

    def build_endpoints(self) -> tuple[Endpoint, ...]:
        """The declared endpoints, each checked against the columns."""
        from twinset.audit.endpoints import ENDPOINTS

        made = []
        for i, (kind, name, settings) in enumerate(self.analyses, start=1):
            section = f"endpoints[{i}]"
            made.append(build(ENDPOINTS, kind, {**settings, "name": name or f"endpoint {i}"}, section=section))
            if absent := declared.unknown(settings, tuple(self.columns)):
                raise StudyInvalid(collect(absent), where=section, hint="name columns as in the [columns] section")
        return tuple(made)


def load(path: str | Path, *, overrides: Sequence[str] = ()) -> Study:
    """The study in a TOML file, with ``key=value`` overrides applied (``generator.share=0.1``).

    Raises StudyInvalid with all problems at once; no value of the file is quoted.
    """
    file = Path(path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyInvalid("no such study file", where=str(path), hint="make one with `twinset init TABLE`") from None
    except IsADirectoryError:
        raise StudyInvalid("this is a folder, not a study file", where=str(path), hint="give the study.toml inside it") from None
    except UnicodeDecodeError:
        raise StudyInvalid("the study file is not UTF-8 text", where=str(path), hint="save it as UTF-8; for a table, run `twinset init` on it first") from None
    return parse(text, folder=file.parent, where=str(path), overrides=overrides)


def parse(text: str, *, folder: Path = Path(), where: str = "study", overrides: Sequence[str] = ()) -> Study:
    """The study in a TOML text; see :func:`load`."""
    data = keys(text, where, overrides)
    try:
        return Study.model_validate({**data, "folder": folder})
    except ValidationError as e:
        raise StudyInvalid(collect([*sentences(e, _siblings), *_further(data, e)]), where=where, hint=KEYS) from None


def study_of(schema: Schema, *, name: str, generator: str = "trees", seed: int = 0) -> Study:
    """A study without a file: this schema, everything else as by default."""
    columns = {c.name: {k: v for k, v in dataclasses.asdict(c).items() if k not in ("name", "_index")} for c in schema}
    data = {"path": "", "unit": schema.unit or "row"}
    return Study.model_validate({"name": name, "data": data, "columns": columns, "generator": {"name": generator}, "audit": {"seed": seed}})


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors."""
    made = Study.model_json_schema(by_alias=True)
    made["properties"].pop("folder", None)
    made["title"] = "Twinset study file"
    return made


def _further(data: Mapping[str, Any], error: ValidationError) -> list[str]:
    """What else is wrong with the study but for the keys that cannot be read: told with them, not on the second try."""
    rest = without(data, [p["loc"] for p in error.errors(include_input=False, include_url=False, include_context=False)])
    try:
        return Study.model_validate(rest).problems()
    except ValidationError:  # a column or the table's path is gone: what leans on them cannot be judged
        return _generator(data)


def _generator(data: Mapping[str, Any]) -> list[str]:
    from twinset.generators import GENERATORS

    try:
        chosen = GeneratorChoice.model_validate(data.get("generator", {}))
    except ValidationError:
        return []
    return declared.plugin(GENERATORS, chosen.name, chosen.model_extra or {}, section="generator")


SECTIONS: dict[str, type[BaseModel]] = {"data": Data, "holdout": Holdout, "release": ReleasePlan, "rules": RulePart, "audit": AuditPlan, "policy": Policy}
SECTIONS["privacy"] = Privacy
KEYS = "correct these keys; study.schema.json beside a draft of `twinset init TABLE` lists all that there are, and editors read it"
CORRECT = "correct these in the study file; nothing was fitted, spent or written"


def _siblings(place: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Study
    if len(place) > 1:
        section = ColumnPart if place[0] == "columns" else SECTIONS.get(str(place[0]), Study)
    return [f.alias or name for name, f in section.model_fields.items() if name != "folder"]
