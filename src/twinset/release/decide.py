"""Whether a private release may leave, from its certificate and the synthetic rows alone: nothing here reads a patient's row.

Whether a folder appears is seen by everybody. Decided on patients' rows it would tell about them, unbilled; what is decided
here is a function of answers that were paid for and of the study, and so costs nothing more (post-processing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twinset.core.cohort import Cohort
from twinset.core.finding import Finding
from twinset.core.schema import Column
from twinset.errors import PolicyRefused
from twinset.release.gate import OUTPUT, Judged, Outcome, Verdict
from twinset.release.policy import Check, Policy
from twinset.release.terms import Privacy
from twinset.report.material import Verdict as Ending


@dataclass(frozen=True)
class Output:
    """What the synthetic rows and the model say of themselves.

    Attributes:
        rules: ``rules.broken`` of every copy.
        blank: columns that hold no value in some copy.
        single: columns that hold one value only in some copy, where others may occur.
        n_columns: how many columns there are.
        noise: the standard deviation of the noise in the share of patients with one value (a fraction); ``None`` where the model cannot say.
        unlisted: of each column with levels that were not found, the share of patients in them.
    """

    rules: tuple[Finding, ...] = ()
    blank: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    n_columns: int = 0
    noise: float | None = None
    unlisted: Mapping[str, float] = field(default_factory=dict)


def look(copies: Sequence[Cohort], rules: Sequence[Finding], *, noise: float | None, unlisted: Mapping[str, float]) -> Output:
    """What can be seen on the copies, ``rules`` being the findings of the rules on all of them."""
    values = {c.name: min(copy[c.name].drop_nulls().n_unique() for copy in copies) for c in copies[0].schema}
    several = {c.name for c in copies[0].schema if _several(c)}
    blank = tuple(name for name, n in values.items() if n == 0)
    single = tuple(name for name, n in values.items() if n == 1 and name in several)
    return Output(tuple(rules), blank, single, len(values), noise, dict(unlisted))


def forbid(policy: Policy, privacy: Privacy) -> None:
    """Raise PolicyRefused where the epsilon that is asked for is above the policy's: before anything is spent."""
    most = policy.output.epsilon
    if most is not None and privacy.epsilon > most:
        raise PolicyRefused(
            [f"epsilon = {privacy.epsilon:g} is asked for, and the policy allows {most:g}"],
            where="privacy.epsilon",
            hint="ask for less; nothing was spent",
        )


def decide(certificate: Mapping[str, Any], output: Output, policy: Policy) -> Verdict:
    """The verdict. It is never inconclusive: everything it looks at is known exactly. Private, but of no use, where a limit on use is broken.

    A limit that is broken refuses; one that cannot be told (a model that does not know its noise) does not, since the promise holds either way.
    """
    limits = policy.output
    judged = [_rules(output.rules), _blank(output.blank, limits.blank), _single(output, limits.single)]
    if limits.noise is not None:
        judged.append(_noise(output.noise, limits.noise))
    if limits.unlisted is not None:
        judged.append(_unlisted(output.unlisted, limits.unlisted))
    if limits.epsilon is not None:
        outcome: Outcome = "pass" if certificate["epsilon"] <= limits.epsilon else "fail"
        judged.append(_judged("epsilon", limits.epsilon, outcome, f"epsilon: {certificate['epsilon']:g}, the policy allows {limits.epsilon:g}"))
    if limits.warnings == "refuse":
        judged += [_judged("warnings", 0, "fail", f"the certificate warns: {warning}") for warning in certificate["warnings"]]
    failed = [j for j in judged if j.outcome == "fail"]
    strict = any(j.check.finding in ("output.epsilon", "output.warnings") for j in failed)
    verdict: Ending = "pass" if not failed else "fail" if strict else "of no use"
    reasons = [j.reason for j in failed] or [f"all {len(judged)} limits on the certificate and the synthetic rows are kept"]
    told = [f"only one value came out, though others may occur: {_names(output.single)}"] if output.single and not failed else []
    return Verdict(verdict, not failed, (*reasons, *told), _settles(judged), tuple(judged), OUTPUT)


def _rules(rules: Sequence[Finding]) -> Judged:
    broken = list(dict.fromkeys(f.where for f in rules if f.measured and f.value > 0))
    n = len({f.where for f in rules})
    reason = (
        f"public rules broken in the synthetic rows: {_names(broken)}" if broken else f"public rules: {'none of ' + str(n) + ' is broken' if n else 'none'}"
    )
    return _judged("rules", 0, "fail" if broken else "pass", reason)


def _blank(names: Sequence[str], limit: int) -> Judged:
    outcome: Outcome = "fail" if len(names) > limit else "pass"
    return _judged("blank columns", limit, outcome, f"columns without any value: {_names(names) if names else 'none'}; the policy allows {limit or 'none'}")


def _single(output: Output, limit: float) -> Judged:
    share = len(output.single) / output.n_columns if output.n_columns else 0.0
    outcome: Outcome = "fail" if share > limit else "pass"
    names = f"{len(output.single)} of {output.n_columns}, {_names(output.single)}" if output.single else "none"
    return _judged("single", limit, outcome, f"columns with one value only, where others may occur: {names}; the policy allows {100 * limit:.0f} % of them")


def _noise(noise: float | None, limit: float) -> Judged:
    label = "noise in the share of patients with one value"
    if noise is None:
        return _judged("noise", limit, "not measured", f"{label}: not known to this generator's model")
    outcome: Outcome = "pass" if noise <= limit else "fail"
    return _judged("noise", limit, outcome, f"{label}: {points(noise)}, the policy allows {points(limit)}")


def _unlisted(shares: Mapping[str, float], limit: float) -> Judged:
    name, worst = max(shares.items(), key=lambda pair: pair[1], default=("", 0.0))
    outcome: Outcome = "pass" if worst <= limit else "fail"
    where = f" in `{name}`" if name else ""
    return _judged(
        "unlisted", limit, outcome, f"patients in levels that were not found: at most {100 * worst:.0f} %{where}, the policy allows {100 * limit:.0f} %"
    )


def points(share: float) -> str:
    """A standard deviation of a share, in percentage points.

    >>> points(0.0213), points(4.0)
    ('± 2.1 percentage points', 'more than ± 100 percentage points')
    """
    if not share < 1:
        return "more than ± 100 percentage points"
    return f"± {100 * share:.1f} percentage points" if share < 0.1 else f"± {100 * share:.0f} percentage points"


def _judged(name: str, limit: float, outcome: Outcome, reason: str) -> Judged:
    return Judged(Check(finding=f"output.{name}", limit=limit, label=reason.partition(":")[0]), outcome, reason)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(f"`{n}`" for n in names[:8]) + more


def _several(column: Column) -> bool:
    """Whether the declaration has room for more than one value."""
    if column.numeric:
        return column.low is None or column.high is None or not math.isclose(column.low, column.high)
    return len(column.levels) != 1


def _settles(judged: Sequence[Judged]) -> tuple[str, ...]:
    failed = {j.check.finding for j in judged if j.outcome == "fail"}
    out = []
    if "output.noise" in failed:
        out.append("a larger epsilon, more patients, or fewer columns: what the noise drowns is of no use to anybody")
    if "output.blank columns" in failed:
        out.append(
            'a column without values: either no level of it was found within the budget (list its levels, with origin = "public", from a code book), or its cells could not be read as declared (see how it was read)'
        )
    if "output.single" in failed:
        out.append('a column with one value only: declare its levels or bounds from a code book, with origin = "public", or give the run a larger epsilon')
    if "output.unlisted" in failed:
        out.append('levels that were not found: list them from a code book with origin = "public", or give the run a larger epsilon')
    if "output.rules" in failed:
        out.append("a rule that the generator cannot keep: make it weaker, or give its columns more of the budget")
    if failed:
        out.append("nothing of this is about privacy: what was made is as private as a release, and lies in `custodian/refused` for you to judge")
    return tuple(out)
