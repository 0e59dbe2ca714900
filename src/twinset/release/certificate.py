"""The certificate of a private release: what is promised, to whom, what it cost, and what it does not cover.

It travels with the release, so it holds nothing but the study's declarations, answers that were paid for, and versions.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twinset.core.schema import Schema
from twinset.dp import seam
from twinset.dp.accountant import advantage, guess, pld_epsilon
from twinset.dp.chain import entries
from twinset.dp.events import Event
from twinset.dp.ledger import Allowance
from twinset.dp.register import Standing
from twinset.dp.whereabouts import Kind
from twinset.errors import BadInput
from twinset.release.gate import ROWS, Decider
from twinset.release.terms import Privacy

LIBRARIES = ("twinset", "opendp", "dp-accounting", "numpy", "polars", "numba", "scipy")
ACCOUNTANT = "zCDP (rho), Canonne-Kamath-Steinke conversion"
FIXED = (
    "the noise of every look and the number of looks follow from the study and the budget alone, whatever was answered; privacy loss distributions "
    "add up for adaptively chosen questions, not for adaptively chosen noise"
)
WEAK = 10.0  # an epsilon above this is called weak


@dataclass(frozen=True)
class Spent:
    """What a private run did, as far as its certificate tells it.

    ``schema`` as the study declares it; ``rules``: the public ones, (name, text); ``reveals``: runs on the same data set
    outside any budget; ``budget``: the ledger's epsilon; ``head``: the hash of the ledger's last line; ``place``: where the ledger
    was, ``standing``: what the user's register said of it; ``decided_by``: what decides whether it is released; ``fixed_noise``:
    whether the generator fixes all noise before it looks.
    """

    privacy: Privacy
    allowance: Allowance
    events: tuple[Event, ...]
    schema: Schema
    rules: tuple[tuple[str, str], ...]
    budget: float
    head: str
    reveals: int
    place: Kind
    standing: Standing
    decided_by: Decider = ROWS
    fixed_noise: bool = False


def certificate(spent: Spent) -> dict[str, Any]:
    """The certificate, JSON-ready.

    ``epsilon`` and ``rho`` are what the run was allowed, which is the promise: what an adaptive run happened to spend can
    itself depend on the patients. ``spent`` adds up the events; an engine that uses its whole allowance makes them equal.
    """
    terms, allowance = spent.privacy, spent.allowance
    gain = advantage(allowance.rho, allowance.delta)
    return {
        "format": "twinset certificate 1",
        "unit": terms.unit,
        "relation": terms.relation,
        "per_patient": allowance.per_patient,
        "epsilon": terms.epsilon,
        "delta": terms.delta,
        "rho": allowance.rho,
        "accountant": ACCOUNTANT,
        **second(spent),
        "decided_by": spent.decided_by,
        "spent": {"rho": sum(e.rho for e in spent.events), "delta": sum(e.delta for e in spent.events)},
        "attacker": {"advantage": _up(gain), "guess": _up(guess(gain)), "says": _attacker(gain)},
        "events": [_event(e) for e in spent.events],
        "public": public(spent),
        "not_covered": list(not_covered(spent)),
        "warnings": list(warnings(spent)),
        "budget": spent.budget,
        "ledger": spent.place,
        "register": {"kept": spent.standing.kept, "since": spent.standing.since or None},
        "ledger_head": spent.head,
        "versions": versions(),
        **seam.mark(),
    }


def second(spent: Spent) -> dict[str, Any]:
    """Epsilon by a second accountant as ``{"second": {...}}``, smaller as a rule; nothing where it would not hold or is not installed.

    It holds for runs whose noise was fixed before the first look. The claim stays that of zCDP, which needs no such condition.
    """
    if not spent.fixed_noise or find_spec("dp_accounting") is None:
        return {}
    found = pld_epsilon(spent.events, spent.privacy.delta)
    if not math.isfinite(found):
        return {}
    exact = math.ceil(found * 1e6) / 1e6
    return {"second": {"accountant": "PLD (dp-accounting)", "epsilon": exact, "delta": spent.privacy.delta, "valid_because": FIXED}}


def compare(certificate: Path, ledger: Path) -> None:
    """Raise BadInput unless the ledger holds the run that a certificate tells of, event for event.

    Shows also what the chain alone cannot: lines cut off at the end after the certificate was made.
    """
    known = {e["hash"]: e for e in entries(ledger.read_bytes(), ledger)}
    try:
        proof = json.loads(certificate.read_text(encoding="utf-8"))
        head, told = proof["ledger_head"], [_look(e) for e in proof["events"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput("no certificate can be read from here", where=certificate.name, hint="give a release's certificate.json") from None
    if "not_private" in proof:
        raise BadInput(
            "this certificate was made while an audit had replaced the noise", where=certificate.name, hint="nothing made there is private; delete it"
        )
    entry = known.get(head)
    if entry is None:
        raise BadInput(
            "the ledger does not hold the run of this certificate: it is another ledger, or its end was cut off",
            where=ledger.name,
            hint="restore the ledger from a backup; what is missing was spent",
        )
    if [_look(e) for e in entry.get("events", ())] != told:
        raise BadInput("the certificate's events are not those of the ledger", where=certificate.name, hint="do not trust this certificate")


def _look(event: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(event[k] for k in ("name", "mechanism", "noise", "sensitivity", "rho"))


def public(spent: Spent) -> list[dict[str, str]]:
    """What was taken as known without paying, and who declared it."""
    out = [{"what": "names, types and roles of the columns", "where": "all columns", "declared_by": "the study file"}]
    for column in spent.schema.synthesised:
        if column.origin == "public":
            known = [w for w, there in (("bounds", column.low is not None), ("levels", bool(column.levels))) if there]
            known += [w for w, there in (("missing codes", bool(column.missing_codes)), ("decimals", column.decimals is not None)) if there]
            if known:
                out.append({"what": " and ".join(known), "where": column.name, "declared_by": "the study file"})
    out += [{"what": f"rule: {text}", "where": name, "declared_by": "the study file"} for name, text in spent.rules]
    if spent.privacy.relation == "replace":
        out.append({"what": "the number of patients", "where": "all columns", "declared_by": 'the study file (relation = "replace")'})
    return out


def not_covered(spent: Spent) -> tuple[str, ...]:
    """What the promise is silent on, in sentences."""
    who = "row" if spent.privacy.unit == "row" else "patient"
    out = [
        "what the custodian keeps: the report, the findings and the hold-out tests were computed on the patients' rows and must not leave",
        "other releases of the same patients that were not written into this ledger, here or elsewhere; their epsilons add to this one",
        "what is true of groups: what the data teach about people like a patient is not hidden, whether the patient took part or not",
        "the study file itself: its columns, types, roles, rules and settings are taken as known, also if somebody chose them by looking at the rows",
        "the types that a typed file (Parquet, SAS and the like) states for its columns: they are taken as public, and a line of a text file is taken as a row",
        "how long the computation took and how much memory it used",
    ]
    if spent.decided_by == ROWS:
        out.insert(
            0,
            "the decision to release: the policy's checks were computed on the patients' rows and stay with the custodian, but that they ended in a release is seen",
        )
    if who == "row":
        out.insert(0, "a patient with several rows: each row is promised as another patient's; for k rows of one patient epsilon is k times as large")
    else:
        out.insert(0, f"more than {spent.allowance.per_patient} row(s) of a patient: the rest was left out before anything was counted")
    return tuple(out)


def warnings(spent: Spent) -> tuple[str, ...]:
    """What a reader must be told before the figures."""
    out = []
    if spent.privacy.epsilon > WEAK:
        out.append(
            f"epsilon = {spent.privacy.epsilon:g} is above {WEAK:g}: a weak promise. Attacks on models of such epsilon have succeeded; rely on the tests of attacks, not on this figure"
        )
    if spent.privacy.budget is not None and spent.budget > WEAK >= spent.privacy.epsilon:
        out.append(f"the budget of this data set, epsilon = {spent.budget:g}, is above {WEAK:g}: all its releases together promise little")
    if spent.reveals:
        out.append(f"this data set was also used {spent.reveals} time(s) without any privacy budget: together with those runs nothing is promised")
    return (*out, *_whereabouts(spent))


def _whereabouts(spent: Spent) -> tuple[str, ...]:
    """What must be told of the ledger itself: where it was, and whether another one could have gone unnoticed."""
    out, standing = [], spent.standing
    if spent.place != "beside the table":
        out.append(
            "the ledger was not beside the table but where the study named it: whoever writes the study chose it. Ask who keeps it, and whether there is another"
        )
    if not standing.kept:
        out.append(
            "no register could be kept of which table goes with which ledger: a second ledger of this table, or an older copy of this one, would not have been noticed"
        )
    if standing.forgotten:
        out.append(
            f"a ledger of this table was given up {standing.forgotten} time(s) by order (twinset ledger forget): what was spent in it adds to this budget"
        )
    if standing.replaced:
        out.append(
            f"{standing.replaced} other ledger(s) were at this place before, for other versions of the table: if they hold the same patients, what was spent there adds to this budget"
        )
    if standing.public:
        out.append("the register holds this table as public, as the demo's is: it may have many ledgers, and this budget limits nothing")
    return tuple(out)


def versions() -> Mapping[str, str]:
    """Versions of what drew the noise and did the accounts."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _event(event: Event) -> dict[str, Any]:
    row = {k: v for k, v in asdict(event).items() if k in ("name", "mechanism", "noise", "sensitivity", "rho", "why") and v != ""}
    return row | ({"delta": event.delta} if event.delta else {})


def _attacker(gain: float) -> str:
    return (
        f"Somebody who knows everything except whether one patient is in the data, and starts from a fair coin, is right at most "
        f"{100 * _up(guess(gain)):.1f} % of the time from this release; 50 % is guessing. Whatever the attack, its true-positive rate exceeds its false-positive rate by at most {_up(gain):.3f}."
    )


def _up(value: float) -> float:
    """Rounded up: a bound is never told smaller than it is."""
    return min(1.0, (int(value * 10000) + 1) / 10000)
