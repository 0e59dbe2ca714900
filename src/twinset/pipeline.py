"""The picture of DESIGN section 1 as one page of code. Read this first.

table ─► split ─► vault ─► generator ─► model ─► copies ─► rules ─► audit ─► gate ─► what may leave
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from twinset.audit.privacy.split import split
from twinset.audit.run import run
from twinset.coding.history import bound
from twinset.core.cohort import Cohort
from twinset.core.contracts import AuditResult, IntArray, Model, PairedModel, Rule, SizedModel, Trial
from twinset.core.finding import Finding
from twinset.core.schema import Schema
from twinset.core.seeds import stream
from twinset.door import Reading, in_place
from twinset.door import read as read_private
from twinset.dp.ledger import Ledger
from twinset.dp.tables import Table
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.private import begin, demand, finish, halves, open_ledger, public_rules
from twinset.release.folder import Made
from twinset.release.gate import Verdict, judge
from twinset.release.terms import Privacy
from twinset.report.page import Page
from twinset.rules.check import check
from twinset.rules.enforce import enforce
from twinset.rules.language import learn, parse
from twinset.rules.ranges import schema_rules
from twinset.study import Study
from twinset.table import read_cohort

Progress = Callable[[str], None]
LIBRARIES = ("twinset", "numpy", "polars", "scikit-learn", "numba", "lifelines")


@dataclass(frozen=True, repr=False)
class Copy:
    """One synthetic cohort after its rules, and what enforcing them took."""

    cohort: Cohort
    link: IntArray | None
    n_redrawn: int


def release(study: Study, *, progress: Progress | None = None) -> Made:
    """Make the release that a study describes: data, audit, verdict, page. Nothing is written.

    Deterministic: the same study, table and library versions give the same result, on any number of workers. Under a
    section ``[privacy]`` the noise comes from the operating system and never repeats; what is left of the budget is written
    to the ledger file, before the first look and after the last.
    Raises the BadInput family for a table or study that cannot be used, BudgetExhausted where the ledger refuses. A refusal
    by the policy is a result, not an error.
    """
    say = progress or _silent
    terms = demand(study)
    say("reading the table")
    rows, cohort, reading = _table(study, terms)
    train, holdout = _halves(study, cohort, terms)
    rules = declared_rules(study, train)
    endpoints = study.build_endpoints()
    generator = study.build_generator()
    claim = begin(study, terms, train, rules, rows=rows) if terms else None
    vault = claim.vault if claim else Vault(train, open_ledger(study))
    say(f"fitting {study.generator.name} to {len(train):,} rows")
    model = generator.fit(vault, stream(study.seed, "fit"))
    proof = finish(claim) if claim else None
    kept = saved(model) if claim else None
    n = study.release.n or _size(model, train, private=claim is not None)
    copies, results = [], []
    for number in range(1, study.release.copies + 1):
        which = f", copy {number} of {study.release.copies}" if study.release.copies > 1 else ""
        say(f"drawing {n:,} synthetic rows{which}")
        copies.append(draw(model, n, rules, seed=study.seed, number=number))
        trial = Trial(
            by_patient(train),
            copies[-1].cohort,
            by_patient(holdout),
            link=copies[-1].link,
            endpoints=endpoints,
            rules=rules,
            notes=imposed(generator, train.schema),
        )
        results.append(run(trial, seed=study.audit.seed, progress=say))
    say("judging")
    findings = [f for result in results for f in result.findings]
    output_rules = check(rules, copies[0].cohort, what="the synthetic cohort")
    verdict = judge(findings, output_rules, study.policy)
    facts = Facts(
        n_train=len(train),
        n_holdout=len(holdout),
        n_synthetic=len(copies[0].cohort),
        rules=output_rules,
        source_rules=check(rules, train.synthesised, what="the source"),
        n_redrawn=sum(c.n_redrawn for c in copies),
        ledger=vault.ledger,
        certificate=proof,
        reading=reading,
    )
    page = make_page(study, results[0], verdict, facts)
    return Made(
        study_text(study), page, verdict, tuple(c.cohort for c in copies), tuple(results), release_text(study), study.release.format, study.release.label, kept
    )


def saved(model: Model) -> dict[str, Any] | None:
    """The model as it may leave with a private release; ``None`` for kinds that cannot be saved."""
    from twinset.generators.marginals import MarginalsModel
    from twinset.generators.marginals.saved import to_dict

    return to_dict(model) if isinstance(model, MarginalsModel) else None


def _table(study: Study, terms: Privacy | None) -> tuple[Table | None, Cohort, Reading | None]:
    """Rows that stay in their file, if so asked; the table (then a sample of it); and how it was read, under ``[privacy]``."""
    if terms is None:
        return None, read_cohort(study), None
    return in_place(study) if study.data.in_place else (None, *read_private(study))


def _halves(study: Study, cohort: Cohort, terms: Privacy | None) -> tuple[Cohort, Cohort]:
    if terms:
        return halves(study, cohort, terms)
    bounded = bound(cohort, study.data.per_patient, stream(study.holdout.seed, "rows per patient"))
    return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed)


def _size(model: Model, train: Cohort, *, private: bool) -> int:
    """Rows of a copy where the study does not say: as many as train; under a budget that number is private, and the model has a noisy one."""
    if not private:
        return len(train)
    if isinstance(model, SizedModel):
        return max(1, model.n_rows)
    raise BadInput("this generator's model does not know how many rows to draw, and the number of patients is private", hint="set release.n")


def declared_rules(study: Study, train: Cohort) -> tuple[Rule, ...]:
    """The study's rules, their tables learnt from train where they need one, then the declared ranges.

    Where privacy is promised nothing is learnt from train, and only public ranges are rules.
    """
    if study.privacy is not None:
        return public_rules(study, train.schema)
    schema = train.schema.synthesised
    parsed = [parse(r.rule, schema, name=r.name or f"R{i}") for i, r in enumerate(study.rules, start=1)]
    return (*learn(parsed, train.synthesised), *schema_rules(schema))


def draw(model: Model, n: int, rules: Sequence[Rule], *, seed: int, number: int) -> Copy:
    """One copy of ``n`` rows with every rule kept; rows in random order, the link (if any) moved along."""
    rng = stream(seed, "sample", number)
    link: IntArray | None = None
    if isinstance(model, PairedModel):
        cohort, link = model.sample_paired(n, rng)
        order = stream(seed, "shuffle", number).permutation(n)
        cohort, link = cohort.take(order), link[order]
    else:
        cohort = model.sample(n, rng)
    kept = enforce(cohort, rules, model.sample, stream(seed, "rules", number))
    return Copy(kept.cohort, link if kept.n_redrawn == 0 else None, kept.n_redrawn)


def by_patient(cohort: Cohort) -> Cohort:
    """What may be synthesised, and whose rows they are: attacks count patients, not rows."""
    unit = cohort.schema.unit
    return cohort.select((*((unit,) if unit else ()), *cohort.schema.synthesised.names))


def imposed(generator: object, schema: Schema) -> dict[str, str]:
    """What the generator holds fixed by construction (strata), for the report to call a constraint."""
    strata = getattr(generator, "strata", ())
    if strata == "auto" or strata is None:
        strata = tuple(c.name for c in schema.with_role("arm"))
    return {"strata": ", ".join(strata)} if strata else {}


@dataclass(frozen=True)
class Facts:
    """What the page states besides the audit."""

    n_train: int
    n_holdout: int
    n_synthetic: int
    rules: tuple[Finding, ...]  # on the synthetic cohort
    source_rules: tuple[Finding, ...]
    n_redrawn: int
    ledger: Ledger
    certificate: Mapping[str, Any] | None = None
    reading: Reading | None = None  # of a private run: what could not be read as declared


def make_page(study: Study, result: AuditResult, verdict: Verdict, facts: Facts) -> Page:
    """The report's content, without markup."""
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
        limits={c.key: c.limit for c in study.policy.checks},
        rules=facts.rules,
        source_rules=facts.source_rules,
        n_redrawn=facts.n_redrawn,
        ledger=facts.ledger.to_dict(),
        provenance=provenance(study),
        columns=tuple((c.name, c.kind, c.role) for c in study.schema_of_columns()),
        released=verdict.released,
        certificate=facts.certificate,
        rule_texts={r.name or f"R{i}": r.rule for i, r in enumerate(study.rules, start=1)},
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
    for column in data["columns"].values():
        if column["origin"] == "private":
            column.update(low=None, high=None, levels=[], missing_codes=[])
            if study.privacy is not None:
                column["decimals"] = None
    for section in (data, data["holdout"], data["audit"]):
        del section["seed"]  # whoever knows a seed and a fitted model can run it again
    data["data"] = {"unit": study.data.unit}
    if study.privacy is not None:
        del data["privacy"]["ledger"]
    data["rules"] = [{"name": r.name, "rule": r.rule if r.origin == "public" else ""} for r in study.rules]
    data["endpoints"] = [{k: v for k, v in e.items() if k in ("kind", "name", "time", "event", "arm")} for e in data["endpoints"]]
    return json.dumps(_pruned(data), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _pruned(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _pruned(v) if isinstance(v, Mapping) else v for k, v in data.items() if v not in (None, [], "")}


def _silent(_: str) -> None:
    return None
