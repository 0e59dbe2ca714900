"""A private run that would be of no use is stopped before it spends anything."""

from __future__ import annotations

from collections.abc import Callable

from twinset.errors import PolicyRefused, RuleInvalid
from twinset.planning.foretell import FEWEST, plan
from twinset.planning.told import Forecast
from twinset.release.terms import Privacy
from twinset.study import Study

MOST = 100_000  # patients that are invented for it: with more the noise is small whatever else
NAMED = 8  # columns that a refusal names
Progress = Callable[[str], None]


def stop_hopeless(study: Study, terms: Privacy, n: int, *, progress: Progress) -> Forecast | None:
    """What the run would be worth, tried once on invented patients of the declared domain; ``n``: how many patients, a public figure; 0 = not known.

    ``None`` where nothing was foretold: ``n`` is not known, the policy sets no limit (``policy.output.foretold = 1``), or no patient can be invented that keeps the rules.
    Neither the table nor the ledger is touched, so what it says costs nothing. Raises PolicyRefused where single columns would be off by more than the limit on
    average, or by more than half of it and pairs by more than independent columns would be, with what to declare.
    """
    limit = study.policy.output.foretold
    if limit >= 1 or n < FEWEST:
        return None
    progress("foretelling what it would be worth, before anything is spent")
    try:
        made = plan(study, (terms.epsilon,), rows=min(n, MOST), repeats=1)
    except RuleInvalid:
        return None
    found = made.forecasts[0]
    reasons = []
    if found.columns.mean > limit:
        reasons.append(f"single columns would be off by {found.columns.mean:.0%} of the patients on average, the policy allows {limit:.0%}")
    if found.pairs.mean > found.independent and found.columns.mean > limit / 2:
        reasons.append(f"pairs would be off by {found.pairs.mean:.0%}, and columns drawn independently of each other by {found.independent:.0%}")
    if reasons:
        worst = sorted(found.by_column, key=lambda name: -found.by_column[name].mean)
        named = ", ".join(f"`{c}`" for c in [c for c in worst if c in made.paid][:NAMED])
        ways = [f'declare levels or bounds from a code book with origin = "public" ({named})'] if named else []
        ways += ["take a larger epsilon", "leave columns out", "or go on with --spend-anyway; nothing was spent"]
        raise PolicyRefused([f"private, but of no use: {'; '.join(reasons)}"], where="plan", hint=", ".join(ways))
    return found
