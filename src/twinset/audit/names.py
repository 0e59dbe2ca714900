"""What an audit can find, by name: what a policy may ask for."""

from __future__ import annotations

from twinset.audit.endpoints import ENDPOINTS
from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import ATTACKS, PRIVACY

NAMES = (
    *(
        "fidelity.emptied",
        "fidelity.columns",
        "fidelity.pairs",
        "fidelity.hellinger",
        "fidelity.propensity",
        "fidelity.tstr.logistic",
        "fidelity.tstr.boosting",
    ),
    *("endpoint.decision", "endpoint.estimate", "endpoint.overlap", "endpoint.difference", "endpoint.curve", "endpoint.logrank"),
    *("privacy.copies", "privacy.replay.values", "privacy.replay.combinations", "privacy.nearer", "privacy.hidden_rate", "privacy.local_cloaking"),
    *("privacy.tail", "privacy.verbatim", "control.overlap", "control.population", "control.seen", "control.impossible"),
    "rules.broken",
)


def names() -> tuple[str, ...] | None:
    """The names of all findings that the installed tests make; ``None`` where somebody else's package adds tests, whose names are its own."""
    if any(name not in table.table for table in (FIDELITY, PRIVACY, ENDPOINTS) for name in table.names()):
        return None
    return (*NAMES, *(f"membership.{attack}{end}" for attack in ATTACKS.names() for end in ("", ".tpr")))


def strata(name: str) -> tuple[str, ...] | None:
    """The groups of patients that a finding is also measured in; ``None`` where they are columns, rules or analyses."""
    if not name.startswith("membership."):
        return None
    from twinset.audit.privacy.arena import STRATA

    return tuple(where for where, _ in STRATA)[: 1 if name.endswith(".tpr") else None]
