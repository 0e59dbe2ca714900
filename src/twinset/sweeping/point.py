"""One point of a sweep: what a release does, at one epsilon, audited and written down as a small file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from twinset.audit.run import run
from twinset.core.cohort import Cohort
from twinset.core.contracts import Endpoint, Generator, Rule, SizedModel, Trial
from twinset.core.finding import Finding
from twinset.core.seeds import stream
from twinset.dp import ledger_file
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.vault import Vault
from twinset.errors import BadInput, BudgetExhausted
from twinset.io.place import new_file
from twinset.pipeline import by_patient, declared_rules, notes
from twinset.private import allowance, demand, guarded, halves
from twinset.release.terms import Privacy
from twinset.rules.copies import draw
from twinset.study import GeneratorChoice, Study
from twinset.sweeping.grid import Job
from twinset.table import read_cohort

Measure = Callable[[Trial], Sequence[Finding]]


@dataclass(frozen=True)
class Reservation:
    """A run in a ledger file that a point may spend."""

    ledger: Path
    number: int
    delta: float  # what the thresholds of this point may use


@dataclass(frozen=True, repr=False)
class Task:
    """A job and all it needs in another process. ``study``: canonical JSON; ``out``: the file to write."""

    job: Job
    study: str
    folder: Path
    out: Path
    reservation: Reservation | None = None
    measure: Measure | None = None


@dataclass(frozen=True, repr=False)
class Material:
    """What every point starts from: the same split for all of them."""

    study: Study
    terms: Privacy
    train: Cohort
    holdout: Cohort
    rules: tuple[Rule, ...]
    endpoints: tuple[Endpoint, ...]


def prepare(study: Study) -> Material:
    """Read, check and split the table as a private release would. Raises what a release would raise."""
    study.check()
    terms = demand(study)
    if terms is None:
        raise BadInput("a sweep needs to know whose privacy is counted", where="privacy", hint="add a section [privacy], or --set privacy.unit=row")
    terms.ledger_path(study.table, study.folder)  # refused before anything is read or written
    train, holdout = halves(study, read_cohort(study), terms)
    return Material(study, terms, train, holdout, declared_rules(study, train), study.build_endpoints())


@lru_cache(maxsize=1)
def material(study: str, folder: Path) -> Material:
    """The same from canonical JSON; kept for the next point of this process."""
    return prepare(Study.model_validate({**json.loads(study), "folder": folder}))


def chosen(study: Study, name: str) -> Study:
    """The study with another generator; its settings stay where it is the study's own."""
    return study if study.generator.name == name else study.model_copy(update={"generator": GeneratorChoice(name=name)})


def finish(task: Task) -> dict[str, Any]:
    """Run a point and write its file, whole or not at all; gives what it wrote."""
    start = time.process_time()
    found = _measured(task)
    made = {"epsilon": task.job.epsilon, "generator": task.job.generator, "repeat": task.job.repeat, **found, "seconds": round(time.process_time() - start, 2)}
    with new_file(task.out, overwrite=True) as temporary:
        temporary.write_text(json.dumps(made, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return made


def _measured(task: Task) -> dict[str, Any]:
    """Cost, size and findings of a point; what the budget of a point cannot cover is a result too, with its reason."""
    stuff = material(task.study, task.folder)
    study = chosen(stuff.study, task.job.generator)
    generator = study.build_generator()
    vault = _vault(task, stuff)
    seed = int(stream(study.seed, "sweep", task.job.name).integers(2**62))
    try:
        model = generator.fit(vault, stream(seed, "fit"))
    except BudgetExhausted as refused:
        return {"rho": None, "delta": 0.0, "n_rows": 0, "missing": Exception.__str__(refused), "findings": []}
    finally:
        if task.reservation is not None and vault.ledger.events:
            ledger_file.settle(task.reservation.ledger, task.reservation.number, vault.ledger.events)
    n = study.release.n or (max(1, model.n_rows) if isinstance(model, SizedModel) else len(stuff.train))
    copy = draw(model, n, stuff.rules, seed=seed, number=1)
    findings = _audit(stuff, generator, copy.cohort, task)
    cost = {"rho": vault.ledger.rho, "delta": vault.ledger.delta} if vault.ledger.bounded else {"rho": None, "delta": 0.0}
    return {**cost, "n_rows": len(copy.cohort), "missing": "", "findings": [f.to_dict() for f in findings]}


def _audit(stuff: Material, generator: Generator, made: Cohort, task: Task) -> list[Finding]:
    told = notes(task.job.generator, generator, stuff.train.schema)
    trial = Trial(by_patient(stuff.train), made, by_patient(stuff.holdout), endpoints=stuff.endpoints, rules=stuff.rules, notes=told)
    own = list(task.measure(trial)) if task.measure is not None else []
    return [*run(trial, seed=stuff.study.audit.seed, patients=stuff.study.audit.patients).findings, *own]


def _vault(task: Task, stuff: Material) -> Vault:
    """At an epsilon a vault that allows no more; else one that reveals and promises nothing."""
    unit = stuff.terms.unit
    if task.job.epsilon is None:
        return Vault(stuff.train, Ledger(unit=unit))
    return guarded(stuff.train, Ledger(unit=unit, first=lambda: _begin(task.out)), allowed(stuff, task.job, task.reservation), stuff.rules)


def allowed(stuff: Material, job: Job, reservation: Reservation | None = None) -> Allowance:
    """What a point may spend: as a release at this epsilon would, thresholds within the reservation."""
    terms = stuff.terms.model_copy(update={"epsilon": job.epsilon})
    whole = allowance(terms, stuff.train, stuff.study.data.per_patient)
    return whole if reservation is None else replace(whole, delta=min(whole.delta, reservation.delta))


def started(out: Path) -> Path:
    """The mark that a point has begun to look at rows: what it may spend is then spent, even if it never ends."""
    return out.with_suffix(".started")


def _begin(out: Path) -> None:
    with new_file(started(out), overwrite=True) as temporary:
        temporary.write_text("begun\n", encoding="utf-8")
