"""Whether a table is large enough for its policy to be able to pass, from the number of patients alone: before anything is fitted."""

from __future__ import annotations

import math

from twinset.release.policy import Check, Policy

FEW = 100  # patients, below which nearly every figure of an audit ends in "too few to tell"
SPREAD = 1.5  # of the hold-out's part of the variance: its patients are each other's population


def foresee(policy: Policy, n_train: int, n_holdout: int) -> tuple[str, ...]:
    """Sentences that say which checks cannot pass whatever is made, and how many patients would do; none where all can.

    A release that leaks nothing reads an area of 0.5; its 95 % interval, about 1.96 sqrt((m + 1.5 n + 1) / 12mn) either way for m train and n hold-out patients
    (Hanley and McNeil 1982 at 0.5), must lie below the policy's limit. Counts of patients are all that is looked at: not for private runs, where they are private.
    """
    n = n_train + n_holdout
    said = []
    short = [
        c for c in policy.checks if c.rule == "must" and c.finding.startswith("membership.") and 0.5 < c.limit < 1 and _half(n_train, n_holdout) > c.limit - 0.5
    ]
    if short:
        strict = min(c.limit for c in short)
        wanted = _enough(strict, n_train / n)
        said.append(
            f"{n_holdout:,} held out of {n:,} patients: even a release that leaks nothing could not show it ({', '.join(_name(c) for c in short)}: policy {strict:.2f}). "
            f"About {wanted:,} patients would do at this hold-out"
        )
    elif n < FEW:
        said.append(f"{n:,} patients: most figures will be too wide to tell")
    return tuple(said)


def _half(m: int, n: int) -> float:
    return 1.96 * math.sqrt((m + SPREAD * n + 1) / (12 * m * n)) if m and n else math.inf


def _enough(limit: float, share: float) -> int:
    """How many patients would make half the interval small enough, to the next ten."""
    n = 10
    while _half(round(share * n), n - round(share * n)) > limit - 0.5:
        n += 10
    return n


def _name(check: Check) -> str:
    return check.label or check.key
