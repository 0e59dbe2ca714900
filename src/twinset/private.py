"""A run under ``[privacy]``: refused early where it cannot be honest, reserved before the first look, settled and certified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinset.audit.privacy.split import How, split
from twinset.coding.history import bound_locally
from twinset.core.cohort import Cohort
from twinset.core.contracts import FixedNoise, Generator, Model, Rule
from twinset.core.schema import Schema
from twinset.core.seeds import Rng
from twinset.door import declared
from twinset.dp import ledger_file, register, whereabouts
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.tables import Table
from twinset.dp.vault import Vault
from twinset.errors import BadInput, collect
from twinset.release.certificate import Spent, certificate
from twinset.release.decide import forbid
from twinset.release.gate import decider
from twinset.release.terms import Privacy
from twinset.rules.language import RowRule, parse
from twinset.rules.ranges import schema_rules
from twinset.rules.tree import Follows
from twinset.study import Study

MEASURING = frozenset({"aim", "mst"})  # generators that only ever measure, and so need a budget
FOR_THRESHOLDS = 0.1  # of delta: what finding undeclared levels may use


@dataclass(frozen=True, repr=False)
class Claim:
    """A private run under way: its vault, and what its certificate will need."""

    study: Study
    privacy: Privacy
    allowance: Allowance
    path: Path
    vault: Vault
    numbers: list[int]  # of the run in the ledger; empty until its first look

    def __repr__(self) -> str:
        return f"Claim(epsilon = {self.privacy.epsilon:g}, unit = {self.privacy.unit})"


def demand(study: Study) -> Privacy | None:
    """The terms of the run, or ``None`` where none is private. Raises BadInput with every reason why it cannot be honest, PolicyRefused where epsilon is above the policy's."""
    decider(study.policy, private=study.privacy is not None)
    if study.privacy is None:
        if study.generator.name in MEASURING:
            raise BadInput(
                f"the generator `{study.generator.name}` works from noisy measurements and needs a budget for them",
                where="privacy",
                hint="add a section [privacy] with epsilon and unit, or --set privacy.epsilon=1 --set privacy.unit=row",
            )
        return None
    _check_unit(study, study.privacy)
    forbid(study.policy, study.privacy)
    mined = [r.name or f"R{i}" for i, r in enumerate(study.rules, start=1) if r.origin != "public"]
    if mined:
        raise BadInput(
            f"{len(mined)} rule(s) may have been read from the rows ({', '.join(mined[:20])}), and a rule tells about every row",
            where="rules",
            hint='set origin = "public" on each rule that medicine or a code book says and remove the others, or all of them (--set rules=[])',
        )
    return study.privacy


def halves(study: Study, cohort: Cohort, terms: Privacy) -> tuple[Cohort, Cohort]:
    """Train and hold-out such that one patient more or less (or exchanged) moves nobody else; either may be empty.

    Under replace-one rows are exchanged in their places; a patient's rows can lie anywhere, so there the coin is the patient's.
    """
    bounded = bound_locally(cohort, study.data.per_patient, seed=study.holdout.seed)
    how: How = "place" if terms.relation == "replace" and not cohort.schema.unit else "coins"
    return split(bounded, fraction=study.holdout.fraction, seed=study.holdout.seed, how=how)


def begin(study: Study, terms: Privacy, train: Cohort, rules: Sequence[Rule], *, rows: Table | None = None) -> Claim:
    """The vault of a private run; ``rules``: the public ones; ``rows``: in place of ``train`` where they stay in their file. Raises BudgetExhausted or BadInput where the ledger would refuse it; nothing is written yet."""
    path = terms.ledger_path(study.table, study.folder)
    allowed = allowance(terms, train, study.data.per_patient)
    ledger, numbers = _billed(path, study.table, terms, allowed, study.generator.name)
    vault = guarded(train, ledger, allowed, rules) if rows is None else Vault(rows, ledger, allowed, rules=_spelt(rules))
    return Claim(study, terms, allowed, path, vault, numbers)


def _billed(path: Path, table: Path, terms: Privacy, allowed: Allowance, generator: str) -> tuple[Ledger, list[int]]:
    """A run's own ledger, whose first event waits for a reservation in the file; and that reservation's number, once there is one."""
    ledger_file.check(path, terms.terms(), allowed, table=table, asked=terms.epsilon)
    numbers: list[int] = []

    def first() -> None:
        numbers.append(ledger_file.reserve(path, terms.terms(), allowed, table=table, generator=generator, asked=terms.epsilon))

    return Ledger(unit=terms.unit, budget_rho=allowed.rho, first=first), numbers


def guarded(train: Cohort, ledger: Ledger, allowed: Allowance, rules: Sequence[Rule]) -> Vault:
    """The rows behind a vault that knows nothing undeclared and allows no more than ``allowed``."""
    return Vault(Cohort(train.frame, declared(train.schema)), ledger, allowed, rules=_spelt(rules))


def fit_once(  # noqa: PLR0913
    generator: Generator, cohort: Cohort, terms: Privacy, *, per_patient: int, rules: Sequence[Rule], rng: Rng, study: Study | None = None, name: str = ""
) -> Model:
    """A private model of a table in memory, within ``terms``; ``name``: the generator's, for the ledger.

    Where the ``study``'s table has a ledger the run is reserved there before its first look and settled after its last, whatever rows the
    frame holds: a subset costs what the table costs. Where it has none, what it cost is nowhere written down.
    ``cohort``: stored as declared. Raises BudgetExhausted where the generator asks for the rows, or that ledger refuses.
    """
    bounded = bound_locally(cohort, per_patient, seed=0)
    allowed, path = allowance(terms, bounded, per_patient), kept_ledger(study)
    if study is None or path is None:
        return generator.fit(guarded(bounded, Ledger(unit=terms.unit), allowed, rules), rng)
    ledger, numbers = _billed(path, study.table, terms, allowed, f"{name} (synthesize)")
    model = generator.fit(guarded(bounded, ledger, allowed, rules), rng)
    if numbers:
        ledger_file.settle(path, numbers[0], ledger.events)
    return model


def kept_ledger(study: Study | None) -> Path | None:
    """The ledger of a study's table, if it has one. Raises BadInput where the user's register knows one that is not there."""
    if study is None or not (study.table.is_file() or whereabouts.found(study.table)):
        return None
    path = study.privacy.ledger_path(study.table, study.folder) if study.privacy else whereabouts.chosen(study.table)
    if path.exists():
        return path
    register.check(study.table, path, ())
    return None


def allowance(terms: Privacy, train: Cohort, per_patient: int) -> Allowance:
    """What the run may spend: epsilon as rho, a tenth of delta kept for thresholds where something is to be found."""
    found = any(c.origin != "public" for c in train.schema.synthesised)
    delta = FOR_THRESHOLDS * terms.delta if found else 0.0
    per_patient = 1 if terms.unit == "row" else per_patient
    n_public = len(train) if terms.relation == "replace" and terms.unit == "row" else None
    return Allowance(rho_of(terms.epsilon, terms.delta - delta), delta, terms.relation, per_patient, n_public)


def public_rules(study: Study, schema: Schema) -> tuple[Rule, ...]:
    """The rules that the study marks public, and its public ranges."""
    whole = schema.synthesised
    parsed = [parse(r.rule, whole, name=r.name or f"R{i}") for i, r in enumerate(study.rules, start=1) if r.origin == "public"]
    return (*parsed, *schema_rules(declared(whole)))


def finish(claim: Claim, *, generator: Generator | None = None) -> dict[str, Any]:
    """Settle the run in the ledger and write its certificate. ``generator``: what asked, where it can say that its noise was fixed beforehand."""
    events, table = claim.vault.ledger.events, claim.study.table
    budget, reveals = claim.privacy.budget or claim.privacy.epsilon, 0
    hashes: tuple[str, ...] = ()
    if claim.numbers:
        book = ledger_file.settle(claim.path, claim.numbers[0], events)
        budget, hashes, reveals = book.total, book.hashes, book.reveals
    standing = register.standing(table, claim.path, hashes)
    rules = tuple((r.name or f"R{i}", r.rule) for i, r in enumerate(claim.study.rules, start=1))
    schema, head, place = claim.study.schema_of_columns(), hashes[-1] if hashes else "", whereabouts.kind(table, claim.path)
    by = decider(claim.study.policy, private=True)
    fixed = isinstance(generator, FixedNoise) and generator.noise_is_fixed
    return certificate(Spent(claim.privacy, claim.allowance, events, schema, rules, budget, head, reveals + standing.reveals, place, standing, by, fixed))


def open_ledger(study: Study, *, generator: str = "") -> Ledger:
    """The ledger of a run that promises nothing (by the study's generator, or another). Where the data set has a ledger file, or had one, its first look is written down as infinite."""
    table, why = study.table, "a run without a section [privacy]"

    def first() -> None:
        there = [path for path in whereabouts.found(table) if path.exists()]
        for path in there:
            ledger_file.revealed(path, table=table, generator=generator or study.generator.name, why=why)
        if not there and table.is_file():
            register.revealed(table, why=why)

    return Ledger(unit=study.data.unit, first=first)


def _spelt(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that say all they need themselves: not ``follows`` without a table, which would be learnt from rows."""
    return [r for r in rules if not (isinstance(r, RowRule) and isinstance(r.node, Follows) and not r.node.table)]


def _check_unit(study: Study, terms: Privacy) -> None:
    """The unit must be said, be the table's, and be bounded."""
    data, problems = study.data, []
    if terms.unit == "row" and data.unit != "row":
        cap = data.per_patient
        sum_ = (
            f"epsilon = {terms.epsilon:g} x {cap} = {terms.epsilon * cap:g}"
            if cap > 1
            else f"epsilon = {terms.epsilon:g} x the number of a patient's rows, which nothing bounds"
        )
        cost = f"epsilon = {terms.epsilon:g}, which `unit` must say" if cap == 1 else sum_
        problems.append(f"a promise to each row is none to a patient with many rows (column `{data.unit}` names the patient): it would cost a patient {cost}")
    elif terms.unit != data.unit:
        problems.append("privacy.unit and data.unit disagree on who a patient is")
    if data.unit != "row" and data.per_patient < 1:
        problems.append("nothing bounds the rows of one patient, so no noise would hide them")
    if problems:
        unit = data.unit if data.unit != "row" else terms.unit
        raise BadInput(
            collect(problems),
            where="privacy.unit",
            hint=f'set data.unit and privacy.unit to "{unit}", and data.per_patient to the most rows that a patient may contribute',
        )
