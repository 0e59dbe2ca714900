"""What the page and the release state besides the audit: counts, versions, hashes, the study as text."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twinset.core.contracts import AuditResult
from twinset.core.finding import Finding
from twinset.door import Reading
from twinset.dp.ledger import Ledger
from twinset.release.gate import ROWS, Verdict
from twinset.report.material import Attempts, Tested
from twinset.report.page import Page
from twinset.study import Study

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


def release_text(study: Study) -> str:
    """The study as the recipient may read it: no bounds, levels, codes or rules that were read from the rows, no path, no seed."""
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
    data["endpoints"] = [{k: v for k, v in e.items() if k in ("kind", "name", "time", "event", "arm")} for e in data["endpoints"]]
    return json.dumps(_pruned(data), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _rows_of(study: Study) -> dict[str, Any]:
    """What a row of the table is. A condition on rows may hold a patient's number or another value: that there is one is said, not which."""
    told = study.data
    kept = {"per_patient": told.per_patient, "keep": told.keep} if told.per_patient else {}
    return {"unit": told.unit, **kept, "widen": told.widen, "where": "rows were chosen by a condition that stays with the custodian" if told.where else ""}


def _pruned(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _pruned(v) if isinstance(v, Mapping) else v for k, v in data.items() if v not in (None, [], "")}
