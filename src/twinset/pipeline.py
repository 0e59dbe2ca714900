"""The picture of DESIGN section 1 as one page of code. Read this first.

table ─► split ─► vault ─► generator ─► model ─► copies ─► rules ─► audit ─► gate ─► what may leave
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from twinset.audit.endpoints.synthesis import HELD, changed
from twinset.audit.privacy.split import split
from twinset.audit.run import run
from twinset.coding.history import bound
from twinset.core.cohort import Cohort
from twinset.core.contracts import AuditResult, Model, NoisyModel, Rule, SizedModel, Trial, UnlistedModel
from twinset.core.finding import Finding
from twinset.core.refits import Refits
from twinset.core.schema import Schema, left_out
from twinset.core.seeds import stream
from twinset.door import Reading, in_place
from twinset.door import read as read_private
from twinset.dp.tables import Table
from twinset.dp.vault import Vault
from twinset.errors import BadInput
from twinset.facts import Facts, make_page, release_text, study_text
from twinset.planning.worth import stop_hopeless
from twinset.private import begin, demand, finish, halves, open_ledger, public_rules
from twinset.refitting.job import Job, contrasts
from twinset.refitting.kept import keeper
from twinset.refitting.run import Refitted, Resources, affordable, refit
from twinset.release.analyses import shipped
from twinset.release.attempts import Attempt
from twinset.release.attempts import begin as begin_line
from twinset.release.decide import Output, decide, look
from twinset.release.folder import Made
from twinset.release.foresee import foresee
from twinset.release.gate import OUTPUT, Verdict, judge
from twinset.release.terms import Privacy
from twinset.rules.check import check
from twinset.rules.copies import Copy, draw
from twinset.rules.language import learn, parse
from twinset.rules.ranges import schema_rules
from twinset.study import Study
from twinset.table import read_open

Progress = Callable[[str], None]
TOGETHER = ("privacy", "membership", "control.impossible")  # what is asked of all copies in one table as well


def release(study: Study, *, progress: Progress | None = None, tell: Progress | None = None, command: str = "release", workers: int = 1) -> Made:
    """Make the release that a study describes: data, audit, verdict, page. Nothing is written but two lines beside the table: that it was tried, and how
    it ended; and, as long as long refits are under way, those that are finished.

    Deterministic: the same study, table and library versions give the same result, on any number of workers. Under a
    section ``[privacy]`` the noise comes from the operating system and never repeats; what is left of the budget is written
    to the ledger file, before the first look and after the last. Whether it is released is then decided before the audit begins,
    and nothing that the audit finds or raises can change it (unless ``policy.decision`` says so).
    Raises the BadInput family for a table or study that cannot be used, BudgetExhausted where the ledger refuses. A refusal
    by the policy is a result, not an error. ``progress`` is called with the current step, ``tell`` with what a person should read before it goes on;
    ``command``: what the attempt is called; ``workers``: processes at once for refits that take long (:mod:`twinset.refitting`).
    """
    say = progress or _silent
    terms = _terms(study)
    say("reading the table")
    rows, cohort, reading = _table(study, terms)
    endpoints = study.build_endpoints()
    generator = study.build_generator()
    train, holdout = _halves(study, cohort, terms)
    rules = declared_rules(study, train)
    if terms:
        stop_hopeless(study, terms, terms.about or _public_size(cohort, terms), progress=say)
    else:
        for line in foresee(study.policy, train.n_patients, holdout.n_patients):
            (tell or _silent)(line)
    claim = begin(study, terms, train, rules, rows=rows) if terms else None
    vault = claim.vault if claim else Vault(train, open_ledger(study))
    say(f"fitting {study.generator.name}" if claim else f"fitting {study.generator.name} to {len(train):,} rows")
    model = generator.fit(vault, stream(study.seed, "fit"))
    proof = finish(claim, generator=generator) if claim else None
    n = study.release.n or _size(model, train, private=claim is not None)
    copies = _copies(study, model, n, rules, say)
    job = Job(generator, by_patient(train), rules, endpoints, n, study.release.copies, study.seed)
    refitted = Refitted() if claim else _refitted(study, job, vault, workers=workers, say=say, tell=tell or _silent)
    output_rules = [check(rules, c.cohort, what="the synthetic cohort") for c in copies]
    output = _look(model, copies, output_rules)
    attempt = begin_attempt(study, command)
    verdict = decide(proof, output, study.policy) if proof and proof["decided_by"] == OUTPUT else None
    told = notes(study.generator.name, generator, train.schema)
    trial = Trial(job.train, copies[0].cohort, by_patient(holdout), endpoints=endpoints, rules=rules, notes=told, refits=refitted.one)
    results = _audited(study, trial, copies, say, advice=verdict is not None, also=refitted.missing)
    say("judging")
    tested = judge([f for r in results for f in r.findings], [f for found in output_rules for f in found], study.policy)
    facts = Facts(
        n_train=len(train),
        n_holdout=len(holdout),
        n_synthetic=len(copies[0].cohort),
        rules=worst(output_rules),
        source_rules=check(rules, train.synthesised, what="the source"),
        n_redrawn=sum(c.n_redrawn for c in copies),
        ledger=vault.ledger,
        certificate=proof,
        reading=reading,
        tested=tested if verdict else None,
        unlisted=output.unlisted,
        attempts=attempt.told() if attempt else None,
    )
    if attempt:
        attempt.end(released=(verdict or tested).released)
    refitted.forget()
    return _with(_made(study, copies, results, verdict or tested, facts, saved(model) if claim else None), refitted.of_all)


def _with(made: Made, refits: tuple[Refits, ...]) -> Made:
    """The release with its refits, and the page with the estimates and intervals that leave; as it was where there are none (under ``[privacy]`` train may be empty)."""
    if not refits:
        return made
    ratio = len(made.copies[0]) / made.page.n_train
    result = replace(made.page.result, comparisons=shipped(made.results, refits, len(made.copies), ratio=ratio))
    return replace(made, analyses=refits, page=replace(made.page, result=result))


def _refitted(study: Study, job: Job, vault: Vault, *, workers: int, say: Progress, tell: Progress) -> Refitted:
    """The custodian's bootstrap of the declared analyses: one more look at every row, told in the ledger, and never under ``[privacy]``."""
    runs, cells = study.audit.refits, study.audit.refit_cells
    if affordable(job, runs=runs, cells=cells) and contrasts(job):
        vault.reveal("refits: the generator fitted again on resampled patients, for the intervals of declared analyses")
    return refit(job, runs=runs, cells=cells, resources=Resources(workers, keeper(study, job.generator), say, tell))


def _audited(study: Study, trial: Trial, copies: Sequence[Copy], say: Progress, *, advice: bool, also: Sequence[Finding] = ()) -> list[AuditResult]:
    """The audit of each copy, the first with what was found before it (``also``); where there are several, also the attacks on all of them in one table, which is what an attacker holds."""

    def audit(t: Trial, which: str, only: Sequence[str] = ()) -> AuditResult:
        told = f", {which}" if len(copies) > 1 else ""
        return run(t, seed=study.audit.seed, patients=study.audit.patients, progress=lambda text: say(text + told), advice=advice, only=only)

    results = [audit(replace(trial, synthetic=c.cohort, link=c.link), f"copy {i} of {len(copies)}") for i, c in enumerate(copies, start=1)]
    results[0] = replace(results[0], findings=(*results[0].findings, *also))
    if len(copies) > 1:
        whole = Cohort(pl.concat([c.cohort.frame for c in copies]), copies[0].cohort.schema)
        results.append(audit(replace(trial, synthetic=whole), "all copies together", TOGETHER))
    return results


def _terms(study: Study) -> Privacy | None:
    """What the run promises. A private study is checked in itself first; an open one together with its table, so that all is told at once."""
    if study.privacy is not None:
        study.check()
    return demand(study)


def begin_attempt(study: Study, command: str) -> Attempt | None:
    """A line beside the table that a run on it is about to be judged; ``None`` where the study's table is no file."""
    if not study.table.is_file():
        return None
    return begin_line(study.table, command=command, generator=study.generator.name, seed=study.seed, n=study.release.n, study=study_text(study))


def worst(found: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    """Of the same findings on every copy, the worst of each, in the order of the first copy's."""

    def key(f: Finding) -> tuple[bool, float]:
        return f.measured, (f.value if f.better == "lower" else -f.value) if f.measured else 0.0

    by_place: dict[tuple[str, str], list[Finding]] = {}
    for copy in found:
        for f in copy:
            by_place.setdefault((f.name, f.where), []).append(f)
    return tuple(max(by_place[f.name, f.where], key=key) for f in found[0])


def _copies(study: Study, model: Model, n: int, rules: Sequence[Rule], say: Progress) -> list[Copy]:
    """All copies that the study asks for, before any is looked at."""
    copies = []
    for number in range(1, study.release.copies + 1):
        which = f", copy {number} of {study.release.copies}" if study.release.copies > 1 else ""
        say(f"drawing {n:,} synthetic rows{which}")
        copies.append(draw(model, n, rules, seed=study.seed, number=number))
    return copies


def _look(model: Model, copies: Sequence[Copy], rules: Sequence[Sequence[Finding]]) -> Output:
    """What the model and its copies say of themselves: nothing of it was read from the rows."""
    noise = model.share_noise if isinstance(model, NoisyModel) else None
    unlisted = model.unlisted() if isinstance(model, UnlistedModel) else {}
    return look([c.cohort for c in copies], [f for found in rules for f in found], noise=noise, unlisted=unlisted)


def _made(study: Study, copies: Sequence[Copy], results: Sequence[AuditResult], verdict: Verdict, facts: Facts, kept: dict[str, Any] | None) -> Made:
    return Made(
        study=study_text(study),
        page=make_page(study, replace(results[0], findings=worst([r.findings for r in results])), verdict, facts),
        verdict=verdict,
        copies=tuple(c.cohort for c in copies),
        results=tuple(results),
        public_study=release_text(study, [c.cohort.frame for c in copies]),
        format=study.release.format,
        label=study.release.label,
        model=kept,
        left_out=left_out(study.schema_of_columns()),
        tested=facts.tested,
    )


def saved(model: Model) -> dict[str, Any] | None:
    """The model as it may leave with a private release; ``None`` for kinds that cannot be saved."""
    from twinset.generators.marginals import MarginalsModel
    from twinset.generators.marginals.saved import to_dict

    return to_dict(model) if isinstance(model, MarginalsModel) else None


def _table(study: Study, terms: Privacy | None) -> tuple[Table | None, Cohort, Reading | None]:
    """Rows that stay in their file, if so asked; the table (then a sample of it); and how it was read, under ``[privacy]``."""
    if terms is None:
        return None, *read_open(study)
    return in_place(study) if study.data.in_place else (None, *read_private(study))


def _halves(study: Study, cohort: Cohort, terms: Privacy | None) -> tuple[Cohort, Cohort]:
    if terms:
        return halves(study, cohort, terms)
    bounded = bound(cohort, study.data.per_patient, stream(study.holdout.seed, "rows per patient"), keep=study.data.keep)
    return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed)


def _public_size(cohort: Cohort, terms: Privacy) -> int:
    """The number of rows where everybody may know it: under replace-one by row. Else 0: how many rows patients have depends on each of them."""
    return len(cohort) if terms.relation == "replace" and terms.unit == "row" else 0


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


def by_patient(cohort: Cohort) -> Cohort:
    """What may be synthesised, and whose rows they are: attacks count patients, not rows."""
    unit = cohort.schema.unit
    return cohort.select((*((unit,) if unit else ()), *cohort.schema.synthesised.names))


def notes(name: str, generator: object, schema: Schema) -> dict[str, str]:
    """Who made the copies (``name``, as registered), which settings are not its defaults, and what it held fixed."""
    other = changed(vars(generator), type(generator)) if name in HELD else ()
    return {"generator": name, **({"changed": " ".join(other)} if other else {}), **_imposed(generator, schema)}


def _imposed(generator: object, schema: Schema) -> dict[str, str]:
    """What the generator holds fixed by construction (strata), for the report to call a constraint."""
    strata = getattr(generator, "strata", ())
    if strata == "auto" or strata is None:
        strata = tuple(c.name for c in schema.with_role("arm"))
    return {"strata": ", ".join(strata)} if strata else {}


def _silent(_: str) -> None:
    return None
