"""A run as one text file: data, schema, rules, endpoints, generator, audit, policy."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from twinset.core.contracts import Endpoint, Generator
from twinset.core.registry import Registry
from twinset.core.schema import Column, Kind, Level, Origin, Role, Schema
from twinset.errors import SchemaMismatch, StudyInvalid, collect
from twinset.release.policy import Policy
from twinset.release.terms import Privacy


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
    seed: int = 0


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
    low: float | None = None
    high: float | None = None
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
        """The declared schema. (Pydantic owns the name ``schema``.)"""
        unit = "" if self.data.unit == "row" else self.data.unit
        return Schema(tuple(Column(name=name, **part.model_dump(exclude={"outside"})) for name, part in self.columns.items()), unit=unit)

    def build_generator(self) -> Generator:
        """The generator with its settings; StudyInvalid names every setting that is wrong."""
        from twinset.generators import GENERATORS

        made: Generator = build(GENERATORS, self.generator.name, self.generator.model_extra or {}, section="generator")
        return made

    def build_endpoints(self) -> tuple[Endpoint, ...]:
        """The declared endpoints, each checked against the columns."""
        from twinset.audit.endpoints import ENDPOINTS

        made = []
        for i, part in enumerate(self.endpoints, start=1):
            settings = {**(part.model_extra or {}), "name": part.name or f"endpoint {i}"}
            made.append(build(ENDPOINTS, part.kind, settings, section=f"endpoints[{i}]"))
            self._known(f"endpoints[{i}]", [settings[k] for k in ("time", "event", "arm") if settings.get(k)])
        return tuple(made)

    def _known(self, section: str, columns: Sequence[str]) -> None:
        problems = [f"no column `{c}`{_meant(c, self.columns)}" for c in columns if c not in self.columns]
        if problems:
            raise StudyInvalid(collect(problems), where=section, hint="name columns as in the [columns] section")


def build(registry: Registry, name: str, settings: Mapping[str, Any], *, section: str) -> Any:
    """A plug-in from its table with these settings, types checked. Raises StudyInvalid."""
    if name not in registry:
        raise StudyInvalid(
            f"no {registry.kind} is called `{name}`{_meant(name, registry.names())}", where=section, hint=f"known: {', '.join(registry.names())}"
        )
    plugin = registry[name]
    known = [f.name for f in dataclasses.fields(plugin) if f.init]
    problems = [f"`{name}` has no setting `{k}`{_meant(k, known)}" for k in settings if k not in known]
    if problems:
        raise StudyInvalid(collect(problems), where=section, hint=f"settings: {', '.join(known) or 'none'}")
    try:
        return TypeAdapter(plugin).validate_python(dict(settings))
    except ValidationError as e:
        raise StudyInvalid(collect(_problems(e)), where=section, hint="see docs/study-file.md") from None


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
    data = _toml(text, where)
    for override in overrides:
        _merge(data, _override(override))
    try:
        return Study.model_validate({**data, "folder": folder})
    except ValidationError as e:
        raise StudyInvalid(collect(_problems(e)), where=where, hint="see docs/study-file.md, or start afresh with `twinset init`") from None


def study_of(schema: Schema, *, name: str, generator: str = "trees", seed: int = 0) -> Study:
    """A study without a file: this schema, everything else as by default."""
    columns = {c.name: {k: v for k, v in dataclasses.asdict(c).items() if k not in ("name", "_index")} for c in schema}
    data = {"path": "", "unit": schema.unit or "row"}
    return Study.model_validate({"name": name, "data": data, "columns": columns, "generator": {"name": generator}, "audit": {"seed": seed}})


def check_table(columns: Sequence[str], schema: Schema) -> None:
    """Raise SchemaMismatch with every column that the table or the study lacks."""
    problems = [f"the table has no column `{n}`{_meant(n, columns)}" for n in schema.names if n not in set(columns)]
    problems += [f"the study does not name column `{c}` of the table" for c in columns if c not in schema]
    if problems:
        raise SchemaMismatch(collect(problems[:20]), hint="run `twinset init` again, or edit the [columns] sections")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors."""
    made = Study.model_json_schema(by_alias=True)
    made["properties"].pop("folder", None)
    made["title"] = "Twinset study file"
    return made


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        place = re.search(r"line \d+, column \d+", str(e))
        raise StudyInvalid(
            f"not valid TOML{' at ' + place.group() if place else ''}", where=where, hint="check quotes and brackets there; text values need double quotes"
        ) from None


def _override(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise StudyInvalid("an override is not of the form key=value", where="--set", hint="for example --set generator.leaf=10")
    for candidate in (value, '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'):
        try:
            return tomllib.loads(f"{key} = {candidate}")
        except tomllib.TOMLDecodeError:
            continue
    raise StudyInvalid("an override's key cannot be read", where="--set", hint="quote odd names: --set 'columns.\"a b\".low=1'")


def _merge(into: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _problems(error: ValidationError) -> list[str]:
    """Each problem as ``key: what``, without the value that caused it."""
    out = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(p) for p in problem["loc"])
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            out.append(f"unknown key `{place}`{_meant(str(problem['loc'][-1]), _siblings(problem['loc']))}")
        elif problem["type"] == "missing":
            out.append(f"`{place}` is missing{MEANING.get(place, '')}")
        else:
            out.append(f"`{place}`: {problem['msg'][:1].lower()}{problem['msg'][1:]}")
    return list(dict.fromkeys(out))


SECTIONS: dict[str, type[BaseModel]] = {"data": Data, "holdout": Holdout, "release": ReleasePlan, "rules": RulePart, "audit": AuditPlan, "policy": Policy}
SECTIONS["privacy"] = Privacy
MEANING = {"privacy.unit": ': name the column that identifies the patient, or say "row" if every row is another patient; it has no default'}


def _siblings(place: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = Study
    if len(place) > 1:
        section = ColumnPart if place[0] == "columns" else SECTIONS.get(str(place[0]), Study)
    return [f.alias or name for name, f in section.model_fields.items() if name != "folder"]


def _meant(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""
