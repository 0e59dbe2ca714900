"""What the page and the release state besides the audit: counts, versions, hashes, the study as text."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from twinset.audit.endpoints import ENDPOINTS
from twinset.audit.endpoints.survival import equals
from twinset.checking.declared import COLUMNS
from twinset.checking.plugins import resolved
from twinset.core.contracts import AuditResult
from twinset.core.finding import Finding
from twinset.core.schema import Level, Schema
from twinset.door import Reading
from twinset.dp.ledger import Ledger
from twinset.generators import GENERATORS
from twinset.release.gate import ROWS, Verdict
from twinset.report.material import Attempts, Tested
from twinset.report.page import Page
from twinset.study import Study

LEVELS = {"event_value": "event", "reference": "arm"}  # settings of an endpoint that name a level, and the column it belongs to
LIBRARIES = ("twinset", "numpy", "polars", "scikit-learn", "numba", "lifelines")


@dataclass(frozen=True)
class Facts:
    """What the page states besides the audit.

    Attributes:
        n_train, n_holdout, n_synthetic: rows of train, of the hold-out, of one copy.
        rules, source_rules: the rules on the synthetic cohort and on train.
        n_redrawn: cells drawn again so that the rules hold.
        ledger: of the run.
        certificate: of a private run.
        tested: what the policy's checks on patients' rows said, where they did not decide.
        reading: of a private run: what could not be read as declared.
        unlisted: by column, the share of patients in levels that were not found within the budget.
        attempts: the runs on this table so far; None where they are not counted.
    """

    n_train: int
    n_holdout: int
    n_synthetic: int
    rules: tuple[Finding, ...]
    source_rules: tuple[Finding, ...]
    n_redrawn: int
    ledger: Ledger
    certificate: Mapping[str, Any] | None = None
    tested: Verdict | None = None
    reading: Reading | None = None
    unlisted: Mapping[str, float] = field(default_factory=dict)
    attempts: Attempts | None = None


def make_page(study: Study, result: AuditResult, verdict: Verdict, facts: Facts) -> Page:
    """The report's content, without markup."""
    tested = facts.tested
    return Page(
        title=study.name,
        generator=study.generator.name,
        settings={k: json.dumps(v) for k, v in (study.generator.model_extra or {}).items()},
        n_train=facts.n_train,
        n_holdout=facts.n_holdout,
        n_synthetic=facts.n_synthetic,
        copies=study.release.copies,
        policy=study.policy.name,
        audience=study.audience,
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        settles=verdict.settles,
        result=result,
        limits={c.key: c.limit for c in study.policy.checks if c.rule in ("must", "veto")},
        rules=facts.rules,
        source_rules=facts.source_rules,
        n_redrawn=facts.n_redrawn,
        ledger=facts.ledger.to_dict(),
        provenance=provenance(study),
        columns=tuple((c.name, c.kind, c.role) for c in study.schema_of_columns()),
        released=verdict.released,
        certificate=facts.certificate,
        rule_texts={r.name or f"R{i}": r.rule for i, r in enumerate(study.rules, start=1)},
        decided_by=verdict.decided_by,
        decided_from=() if verdict.decided_by == ROWS else tuple((j.outcome, j.reason) for j in verdict.judged),
        tested=Tested(tested.verdict, tested.released, tested.reasons, tested.settles) if tested else None,
        reading=facts.reading.to_dict() if facts.reading else {},
        unlisted=facts.unlisted,
        accepted=verdict.accepted,
        attempts=facts.attempts,
        refused=tuple(j.check.key for j in (tested or verdict).judged if j.outcome == "fail"),
    )


def provenance(study: Study) -> dict[str, str]:
    """What it takes to make the same bytes again: versions, seeds, hashes. No clock, no path, no machine name."""
    return {
        "study": hashlib.sha256(study_text(study).encode()).hexdigest(),
        "table": file_hash(study.table) if study.table.is_file() else "not a file",
        "seed": str(study.seed),
        "hold-out seed": str(study.holdout.seed),
        "audit seed": str(study.audit.seed),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def study_text(study: Study) -> str:
    """The resolved study, defaults and overrides included, as canonical JSON."""
    return json.dumps(study.model_dump(mode="json", by_alias=True), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def release_text(study: Study, frames: Sequence[pl.DataFrame] = ()) -> str:
    """The study as the recipient may read it: no bounds, levels, codes or rules that were read from the rows, no path, no seed; generator and endpoints
    with every setting, so that an analysis asked for by its name is the declared one. ``frames``: what is released; levels that it holds are told by it.
    """
    data: dict[str, Any] = study.model_dump(mode="json", by_alias=True)
    schema = study.known_schema
    for name, column in data["columns"].items():
        column["levels"] = list(schema[name].levels)  # with `other`, where the study makes one
        if column["origin"] == "private":
            column.update(low=None, high=None, levels=[], missing_codes=[])
            if study.privacy is not None:
                column["decimals"] = None
    for section in (data, data["holdout"], data["audit"]):
        del section["seed"]  # whoever knows a seed and a fitted model can run it again
    data["data"] = _rows_of(study)
    if study.privacy is not None:
        del data["privacy"]["ledger"]
    data["rules"] = [{"name": r.name, "rule": r.rule if r.origin == "public" else ""} for r in study.rules]
    data["generator"] = resolved(GENERATORS, study.generator.name, data["generator"])
    data["endpoints"] = [_endpoint(study, i, frames) for i in range(len(study.endpoints))]
    return json.dumps(_pruned(data), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _endpoint(study: Study, place: int, frames: Sequence[pl.DataFrame]) -> dict[str, Any]:
    """One analysis with every setting. Those that name a level leave together, where each is public or some released row holds it, else not at all;
    under a promise no other settings leave, for they may have been chosen by looking at rows.
    """
    kind, name, given = study.analyses[place]
    schema = study.known_schema
    settings = resolved(ENDPOINTS, kind, given)
    arm = str(settings.get("arm", ""))
    if arm in schema and settings.get("reference") is None and schema[arm].levels:
        settings["reference"] = schema[arm].levels[0]
    levels = {k: settings.pop(k) for k in LEVELS if settings.get(k) is not None}
    if study.privacy is not None:
        settings = {k: v for k, v in settings.items() if k in COLUMNS}
    if all(_told(v, schema, settings.get(LEVELS[k], ""), frames) for k, v in levels.items()):
        settings |= levels
    return {**settings, "kind": kind, "name": name or f"endpoint {place + 1}"}


def _told(level: Level, schema: Schema, column: str, frames: Sequence[pl.DataFrame]) -> bool:
    """Whether a level is known to the recipient anyway."""
    if column in schema and schema[column].origin == "public":
        return True
    return any(column in f.columns and bool(equals(f[column], level).any()) for f in frames)


def _rows_of(study: Study) -> dict[str, Any]:
    """What a row of the table is. A condition on rows may hold a patient's number or another value: that there is one is said, not which."""
    told = study.data
    kept = {"per_patient": told.per_patient, "keep": told.keep} if told.per_patient else {}
    return {"unit": told.unit, **kept, "widen": told.widen, "where": "rows were chosen by a condition that stays with the custodian" if told.where else ""}


def _pruned(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _pruned(v) if isinstance(v, Mapping) else v for k, v in data.items() if v not in (None, [], "")}
