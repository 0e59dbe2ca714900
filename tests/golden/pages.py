"""Made-up report pages for tests: figures in the range of a real trial, none of them a result, no patient behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from twinset.core.contracts import AuditResult, Comparison, Curve, Effect
from twinset.core.finding import Finding, not_measured
from twinset.core.refits import Refits
from twinset.report.material import Attempts, Page, Tested

FLOOR = {"floor": 0.066, "floor_low": 0.060, "floor_high": 0.071, "holdout": 0.099, "independent": 0.201}
LIMITS = {
    "privacy.copies": 0.001,
    "membership.distance@all patients": 0.60,
    "membership.distance@isolated 5 %": 0.60,
    "membership.distance@isolated 1 %": 0.60,
    "membership.classifier@all patients": 0.60,
    "privacy.replay.values": 0.60,
    "privacy.replay.combinations": 0.60,
}
RULES = {"R1": "r == 0 -> cd496 missing", "R2": "treat == (arms > 0)", "R3": "strat == 1 -> preanti == 0", "R4": "karnof <= 100"}
ARMS = ("zidovudine + didanosine", "zidovudine + zalcitabine", "didanosine")


def fidelity() -> tuple[Finding, ...]:
    return (
        Finding(
            "fidelity.columns",
            0.0181,
            0.0165,
            0.0199,
            24,
            "lower",
            {"floor": 0.017, "chance": 0.31, "holdout": 0.026, "independent": 0.0},
            "",
            "single columns differ as two samples do",
            "how columns hang together",
        ),
        Finding(
            "fidelity.pairs",
            0.0664,
            0.0612,
            0.0721,
            276,
            "lower",
            FLOOR,
            "",
            "two-way tables differ as two samples do",
            "dependence among three or more columns",
        ),
        Finding(
            "fidelity.hellinger",
            0.221,
            0.190,
            0.262,
            1497,
            "lower",
            {"floor": 0.205, "holdout": 0.317, "independent": 0.906},
            "",
            "linear dependence among all columns is kept",
            "curved dependence",
        ),
        Finding(
            "fidelity.tstr.logistic",
            0.949,
            0.930,
            0.965,
            642,
            "higher",
            {"holdout": 0.950, "independent": 0.39},
            "",
            "a model trained here serves real patients",
            "whether its coefficients are the same",
        ),
        Finding(
            "fidelity.tstr.boosting",
            0.938,
            0.915,
            0.957,
            642,
            "higher",
            {"holdout": 0.952, "independent": 0.41},
            "",
            "a flexible model loses a little",
            "other outcomes",
        ),
        Finding(
            "fidelity.propensity",
            0.487,
            0.461,
            0.513,
            1284,
            "lower",
            {"floor": 0.5, "holdout": 0.505, "independent": 0.93},
            "",
            "a classifier cannot tell the tables apart",
            "rare rows",
        ),
    )


def details() -> tuple[Finding, ...]:
    columns = [("cd420", 0.031), ("karnof", 0.029), ("wtkg", 0.034), ("age", 0.024), ("days", 0.022)]
    pairs = [("cd420 × cd40", 0.112), ("r × cd496", 0.097), ("age × homo", 0.083)]
    return (
        *(
            Finding("fidelity.columns", v, v - 0.006, v + 0.008, 1497, "lower", {"floor": 0.018, "holdout": 0.027}, w, label="single column")
            for w, v in columns
        ),
        *(
            Finding("fidelity.pairs", v, v - 0.012, v + 0.015, 1497, "lower", {"floor": 0.07, "holdout": 0.09, "independent": 0.21}, w, label="pair of columns")
            for w, v in pairs
        ),
    )


def privacy(*, isolated: float = 0.55) -> tuple[Finding, ...]:
    coin = {"chance": 0.5, "looks": 8.0}
    return (
        Finding("privacy.copies", 0.0, 0.0, 0.0006, 1497, "lower", {"holdout": 0.0}, "", "no synthetic row equals a patient", "rows that come close"),
        Finding(
            "privacy.replay.values",
            0.508,
            0.487,
            0.529,
            1284,
            "lower",
            coin,
            "",
            "rare values of train patients are no more frequent than those of unseen ones",
            "common values",
        ),
        Finding(
            "privacy.replay.combinations",
            0.517,
            0.489,
            0.545,
            1284,
            "lower",
            coin,
            "",
            "rare combinations are hardly replayed",
            "combinations of four columns and more",
        ),
        Finding("membership.distance", 0.514, 0.487, 0.541, 1284, "lower", coin, "all patients", "nearness gives nobody away", "patients who stand apart"),
        Finding("membership.distance", 0.531, 0.46, 0.602, 64, "lower", coin, "isolated 5 %", "nearness hardly tells isolated patients", "any single patient"),
        Finding(
            "membership.distance",
            isolated,
            isolated - 0.13,
            min(0.99, isolated + 0.11),
            14,
            "lower",
            coin,
            "isolated 1 %",
            "the most isolated patients",
            "any single patient",
        ),
        Finding(
            "membership.classifier",
            0.522,
            0.494,
            0.550,
            1284,
            "lower",
            coin,
            "all patients",
            "a learnt attack does little better than a coin",
            "an attacker with the model",
        ),
        Finding("privacy.nearer", 0.521, 0.498, 0.544, 1497, "lower", coin, "", "synthetic rows are about as near to unseen patients", "who is near"),
        not_measured("privacy.hidden_rate", "this generator has no pairing of patients and rows", better="higher"),
        not_measured("privacy.local_cloaking", "this generator has no pairing of patients and rows", better="higher"),
    )


def effect(contrast: str, value: float, error: float, n: int, *, ratio: bool = True) -> Effect:
    return Effect(contrast, value, error, value - 1.96 * error, value + 1.96 * error, math.erfc(abs(value / error) / math.sqrt(2)), n, ratio)


def comparison(contrast: str, train: float, synthetic: float, *, ratio: bool = True, constraint: str = "") -> Comparison:
    real, made = effect(contrast, train, 0.125, 1497, ratio=ratio), effect(contrast, synthetic, 0.128, 1497, ratio=ratio)
    wide = 0.128 * math.sqrt(2)
    kept = (abs(synthetic) > 1.96 * wide) == (abs(train) > 1.96 * 0.125)
    inside = real.low < synthetic < real.high
    return Comparison(
        "death, AIDS or CD4 decline",
        real,
        made,
        wide,
        synthetic - 1.96 * wide,
        synthetic + 1.96 * wide,
        kept,
        inside,
        0.83,
        effect(contrast, train - 0.08, 0.19, 642, ratio=ratio),
        constraint,
    )


def curve(cohort: str, arm: str, hazard: float) -> Curve:
    times = tuple(float(t) for t in range(0, 1201, 60))
    share = tuple(math.exp(-hazard * t / 1000) for t in times)
    return Curve(
        "death, AIDS or CD4 decline",
        cohort,
        arm,
        times,
        share,
        tuple(max(0.0, s - 0.012 - 0.00003 * t) for s, t in zip(share, times, strict=True)),
        tuple(min(1.0, s + 0.011 + 0.00003 * t) for s, t in zip(share, times, strict=True)),
    )


def curves(arms: Sequence[str] = ("zidovudine", *ARMS)) -> tuple[Curve, ...]:
    hazards = (0.42, 0.22, 0.24, 0.27)
    return tuple(curve(c, a, h * (1.0 if c == "train" else 1.06)) for a, h in zip(arms, hazards, strict=False) for c in ("train", "synthetic"))


def comparisons() -> tuple[Comparison, ...]:
    return (
        comparison(f"{ARMS[0]} against zidovudine", -0.71, -0.64),
        comparison(f"{ARMS[1]} against zidovudine", -0.64, -0.58),
        comparison(f"{ARMS[2]} against zidovudine", -0.53, -0.31),
    )


def rules(broken: float = 0.0) -> tuple[Finding, ...]:
    return tuple(Finding("rules.broken", broken if name == "R2" else 0.0, 0.0, 0.0025, 1497, "lower", {"floor": 0.0}, name, label=name) for name in RULES)


def passing() -> Page:
    """A release that passes, with everything measured but the pairing."""
    return Page(
        title="ACTG 175",
        generator="trees",
        settings={"gain": "3.0", "leaf": "5"},
        n_train=1497,
        n_holdout=642,
        n_synthetic=1497,
        copies=1,
        policy="external researchers, v1",
        audience="external researchers",
        verdict="pass",
        released=True,
        reasons=("no check of the policy fails, and no rule is broken; not shown: recognising the 1 % most isolated patients (14 people)",),
        settles=(),
        result=AuditResult(fidelity() + details() + privacy(isolated=0.42), comparisons(), curves()),
        limits=LIMITS,
        rules=rules(),
        source_rules=rules(0.0013),
        n_redrawn=41,
        ledger={
            "unit": "row",
            "rho": "infinite",
            "events": [
                {"name": "all rows", "mechanism": "reveal", "noise": 0.0, "sensitivity": "infinite", "rho": "infinite", "why": "trees are grown on the rows"}
            ],
        },
        provenance={
            "study": "4f1c" * 16,
            "table": "9a0e" * 16,
            "seed": "0",
            "hold-out seed": "0",
            "audit seed": "0",
            "python": "3.11.9",
            "twinset": "0.1.0",
            "numpy": "2.4.0",
            "polars": "2.1.0",
        },
        columns=tuple(
            (name, "number", role) for name, role in (("age", "quasi-identifier"), ("wtkg", ""), ("arms", "arm"), ("days", "time"), ("cens", "event"))
        ),
        rule_texts=RULES,
    )


def failing() -> Page:
    """The most isolated patients can be recognised, and a rule is broken."""
    return replace(
        passing(),
        verdict="fail",
        released=False,
        reasons=("recognising the 1 % most isolated patients: shown, 0.81 (0.68 to 0.92), the policy allows 0.60", "rule R2 is broken in the output"),
        settles=("a more cautious setting: for trees a larger gain test (`--set generator.gain=6`), for avatars more neighbours (`--set generator.k=100`)",),
        result=AuditResult(fidelity() + details() + privacy(isolated=0.81), comparisons(), curves()),
        rules=rules(0.004),
    )


def inconclusive() -> Page:
    """Nothing is shown, nothing can be ruled out."""
    imposed = tuple(replace(c, constraint="rows were drawn within arm and event, so the hazard ratio is that of train by construction") for c in comparisons())
    return replace(
        passing(),
        generator="avatars",
        settings={"recipe": "local", "k": "50", "strata": "arm, event"},
        verdict="inconclusive",
        released=True,
        reasons=("recognising a patient by distance: cannot be ruled out, 0.55 (0.49 to 0.61), the policy allows 0.60",),
        settles=("more hold-out patients: the width of these intervals shrinks with the square root of their number",),
        result=AuditResult(fidelity() + privacy(isolated=0.55), imposed, curves()),
    )


def refitted() -> Page:
    """Intervals from refits: without a shift, with one, and a wide one."""
    figures = ((0.127, 0.004, 50), (0.131, 0.085, 50), (0.22, -0.04, 49))
    made = []
    for c, (sd, bias, runs) in zip(comparisons(), figures, strict=True):
        refits = Refits(c.endpoint, c.train.contrast, sd, bias, runs)
        low, high = refits.interval(c.synthetic.value)
        made.append(replace(c, refits=refits, widened_error=refits.error, widened_low=low, widened_high=high))
    return replace(passing(), result=replace(passing().result, comparisons=tuple(made)))


def accepted() -> Page:
    """An undecided release that the custodian let go, at the fourth attempt."""
    return replace(
        inconclusive(), accepted="teaching inside the department", attempts=Attempts(number=4, refused=3, released=0, unfinished=0, seeds=(0, 1, 2, 3))
    )


def unfair() -> Page:
    """A hold-out that holds train rows."""
    found = Finding(
        "control.overlap", 0.5, 0.46, 0.54, 642, "lower", {"p": 1e-12}, "", "half of the hold-out rows equal a train row", label="hold-out rows among train"
    )
    why = "half of the hold-out rows equal a train row"
    return replace(
        passing(), verdict="control unusable", released=False, reasons=(why,), settles=("hold out patients whom the generator never saw",),
        result=replace(passing().result, findings=(found, *passing().result.findings)), limits=LIMITS | {"control.overlap": 0.001},
    )  # fmt: skip


def useless() -> Page:
    """Columns that came out as one value."""
    lost = Finding("fidelity.columns", 0.92, 0.92, 0.92, 1497, "lower", {"floor": 0.02, "chance": 0.92, "independent": 0.0}, "wtkg", label="single column")
    return replace(
        passing(), verdict="of no use", released=False, reasons=("columns with one value only: `wtkg`",), settles=(),
        result=replace(passing().result, findings=(*passing().result.findings, lost)),
    )  # fmt: skip


def no_holdout() -> Page:
    """No hold-out: most of privacy and half of fidelity was not measured."""
    why = "no patients were held out"
    kept = tuple(replace(f, beside={k: v for k, v in f.beside.items() if k != "holdout"}) for f in fidelity()[:3])
    gone = tuple(not_measured(f.name, why, better=f.better, where=f.where) for f in (*fidelity()[3:], *privacy()))
    return replace(
        passing(),
        n_holdout=0,
        verdict="inconclusive",
        released=False,
        reasons=("recognising a patient by distance: not measured, because no patients were held out",),
        result=AuditResult(kept + gone),
        settles=("hold out 30 % of the patients (`twinset split`)",),
    )


def no_endpoints() -> Page:
    """No endpoint, no rule, an empty ledger."""
    return replace(
        passing(),
        result=AuditResult(fidelity() + privacy(isolated=0.42)),
        rules=(),
        source_rules=(),
        n_redrawn=0,
        settings={},
        ledger={"unit": "row", "rho": 0.0, "events": []},
    )


def private() -> Page:
    """A finite bill."""
    events = [
        {"name": name, "mechanism": "discrete-gaussian", "noise": 20.0, "sensitivity": 1.0, "rho": 0.00125, "why": "one-way counts"} for name in ("age", "arms")
    ]
    return replace(passing(), generator="aim", ledger={"unit": "patient", "rho": 0.0025, "events": events})


def certified() -> Page:
    """A private release with its certificate, of a weak epsilon."""
    events = [
        {"name": "age", "mechanism": "discrete-gaussian", "noise": 2.0, "sensitivity": 1.0, "rho": 0.125},
        {"name": "<b>arms</b>: levels", "mechanism": "threshold", "noise": 2.0, "sensitivity": 1.0, "rho": 0.125, "delta": 1e-10},
        {"name": "which marginal", "mechanism": "noisy-max", "noise": 2.0, "sensitivity": 1.0, "rho": 0.125},
    ]
    certificate = {
        "unit": "patient",
        "relation": "add-remove",
        "per_patient": 3,
        "epsilon": 12.0,
        "delta": 1e-9,
        "rho": 0.4,
        "spent": {"rho": 0.375, "delta": 1e-10},
        "attacker": {"advantage": 0.61, "guess": 0.805, "says": "right at most 80.5 % of the time"},
        "events": events,
        "public": [{"what": "bounds", "where": name, "declared_by": "the study file"} for name in ("age", "weight")],
        "not_covered": ["how long the computation took"],
        "warnings": ["epsilon = 12 is above 10: a weak promise"],
        "budget": 20.0,
        "ledger_head": "0" * 64,
        "versions": {"twinset": "0.1.0"},
    }
    return replace(passing(), generator="aim", ledger={"unit": "patient", "rho": 0.375, "events": events}, certificate=certificate)


def decided() -> Page:
    """A private release that its output decided, with tests that would have refused it, a column that was misread and levels that were not found."""
    page, recognised = certified(), "recognising a patient with a learnt attack: shown, 0.66 (0.62 to 0.70), the policy allows 0.60"
    told = dict(page.certificate or {})
    told |= {
        "epsilon": 1.0,
        "warnings": [],
        "attacker": {"advantage": 0.0868, "guess": 0.5434, "says": "right at most 54.4 % of the time"},
        "accountant": "zCDP (rho), Canonne-Kamath-Steinke conversion",
        "second": {"accountant": "PLD (dp-accounting)", "epsilon": 0.9581, "delta": 1e-9, "valid_because": "all noise was fixed beforehand"},
        "decided_by": "the certificate and the output",
    }
    attack = Finding("membership.classifier", 0.66, 0.62, 0.70, 1284, "lower", {"chance": 0.5}, "all patients", "a learnt attack recognises patients", "others")
    found = tuple(attack if f.name == attack.name else f for f in page.result.findings)
    return replace(
        page,
        generator="mst",
        released=True,
        reasons=("all 3 limits on the certificate and the synthetic rows are kept", "one value only, where more are declared: `zprior`"),
        settles=(),
        result=replace(page.result, findings=found),
        certificate=told,
        decided_by="the certificate and the output",
        decided_from=(
            ("pass", "public rules: none of 4 is broken"),
            ("pass", "columns without any value: none; the policy allows none"),
            ("pass", "noise in the share of patients with one value: ± 4.1 percentage points, the policy allows ± 20 percentage points"),
        ),
        tested=Tested("fail", False, (recognised,), ("a more cautious setting",)),
        reading={"n_rows": 2139, "malformed": 2, "unread": {"wtkg": 813, "age": 1}, "repeats": {"<b>name</b>": 3}, "sampled": 0},
        unlisted={"site": 0.31, "arms": 0.0004},
    )


def undecided() -> Page:
    """A private release that its output refused, with tests too weak to say anything."""
    page = decided()
    why = "columns without any value: `wtkg`; the policy allows none"
    return replace(
        page,
        verdict="fail",
        released=False,
        reasons=(why,),
        settles=("nothing of this is about privacy: what was made is as private as a release, and lies in `custodian/refused` for you to judge",),
        decided_from=(("pass", "public rules: none of 4 is broken"), ("fail", why), ("not measured", "noise: not known to this generator's model")),
        result=AuditResult((not_measured("audit", "no rows in: hold-out", label="the whole audit"),)),
        tested=Tested("inconclusive", False, ("nearest synthetic row: not measured, because the audit has no such finding",), ()),
        reading={"n_rows": 0, "malformed": 0, "unread": {}, "repeats": {}, "sampled": 20000},
        unlisted={},
    )


def wide() -> Page:
    """170 columns, a dozen analyses, a trade of long names."""
    many = tuple(
        Finding(
            "fidelity.columns",
            0.01 + 0.0003 * i,
            0.008 + 0.0003 * i,
            0.013 + 0.0003 * i,
            823,
            "lower",
            {"floor": 0.012, "holdout": 0.02},
            f"measurement_at_visit_{i:03d}_of_the_extended_follow_up",
            label="single column",
        )
        for i in range(170)
    )
    pairs = tuple(
        Finding(
            "fidelity.pairs", 0.05 + 0.0001 * i, 0.04, 0.09, 823, "lower", {"holdout": 0.07}, f"measurement_at_visit_{i:03d} × outcome", label="pair of columns"
        )
        for i in range(400)
    )
    effects = tuple(
        comparison(f"contrast {i} of the pre-specified secondary endpoints, adjusted", 0.05 * i - 0.3, 0.06 * i - 0.33, ratio=i % 2 == 0) for i in range(12)
    )
    columns = tuple((f"measurement_at_visit_{i:03d}_of_the_extended_follow_up", "number", "") for i in range(170))
    return replace(passing(), result=AuditResult(fidelity() + many + pairs + privacy(), effects, curves()), columns=columns)


def unicode() -> Page:
    """Names that try to break the page: markup, quotes, right-to-left, a very long word."""
    nasty = "<script>alert('x')</script>"
    strange = (
        Finding("fidelity.columns", 0.04, 0.03, 0.05, 99, "lower", {"holdout": 0.03}, nasty, says=f'{nasty} & "quoted"', label="single column"),
        Finding("fidelity.columns", 0.05, 0.03, 0.06, 99, "lower", {"holdout": 0.03}, "Größe_in_cm · 身長 · العمر", label="single column"),
        Finding("fidelity.columns", 0.06, 0.03, 0.07, 99, "lower", {"holdout": 0.03}, "x" * 90, label="single column"),
    )
    return replace(
        passing(),
        title=f"Étude “{nasty}” — 試験",
        settings={nasty: "</style><img src=x onerror=1>"},
        audience=nasty,
        result=AuditResult(
            fidelity() + strange + privacy(), tuple(replace(c, endpoint=nasty) for c in comparisons()), tuple(replace(c, arm=nasty) for c in curves())
        ),
        columns=((nasty, "category", ""), ("naïve_œdème", "number", "")),
    )


PAGES = {
    "pass": passing,
    "fail": failing,
    "inconclusive": inconclusive,
    "refitted": refitted,
    "accepted": accepted,
    "unfair": unfair,
    "useless": useless,
    "no-holdout": no_holdout,
    "no-endpoints": no_endpoints,
    "private": private,
    "certified": certified,
    "decided": decided,
    "undecided": undecided,
    "wide": wide,
    "unicode": unicode,
}


def several() -> tuple[Page, ...]:
    """Four generators of one study for the comparison page."""

    def moved(page: Page, generator: str, pairs: float, attack: float) -> Page:
        out = []
        for f in page.result.findings:
            if f.name == "fidelity.pairs" and not f.where:
                f = replace(f, value=pairs, low=pairs - 0.006, high=pairs + 0.006)
            if f.name == "membership.distance":
                f = replace(f, value=attack, low=attack - 0.03, high=attack + 0.03)
            out.append(f)
        return replace(page, generator=generator, result=replace(page.result, findings=tuple(out)))

    return (
        moved(passing(), "trees", 0.058, 0.525),
        moved(inconclusive(), "avatars", 0.062, 0.545),
        moved(failing(), "copycat", 0.041, 0.93),
        moved(passing(), "independent", 0.198, 0.503),
    )
