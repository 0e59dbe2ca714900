"""One synthetic cohort after its rules: how every copy is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twinset.core.cohort import Cohort
from twinset.core.contracts import IntArray, Model, PairedModel, Rule
from twinset.core.seeds import stream
from twinset.rules.enforce import enforce


@dataclass(frozen=True, repr=False)
class Copy:
    """One synthetic cohort after its rules, and what enforcing them took."""

    cohort: Cohort
    link: IntArray | None
    n_redrawn: int


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
