"""The sentences and figures of every report: plain, short, and never more than was measured."""

from __future__ import annotations

import math

from twinset.core.finding import Finding
from twinset.core.scale import Standing, excess, is_attack, is_private, needed, scale

LABELS = {
    "fidelity.columns": "single columns",
    "fidelity.column": "single column",
    "fidelity.pairs": "pairs of columns",
    "fidelity.pair": "pair of columns",
    "fidelity.hellinger": "all columns together (Hellinger)",
    "fidelity.tstr.logistic": "prediction on real patients, logistic regression",
    "fidelity.tstr.boosting": "prediction on real patients, boosting",
    "fidelity.propensity": "telling synthetic from real",
    "privacy.copies": "exact copies of patients",
    "privacy.replay.values": "rare values replayed",
    "privacy.replay.combinations": "rare combinations replayed",
    "privacy.nearer": "rows nearer to train than to unseen patients",
    "privacy.hidden_rate": "hidden rate",
    "privacy.local_cloaking": "local cloaking",
    "membership.distance": "nearest synthetic row",
    "membership.classifier": "learnt attack",
    "rules.broken": "rule broken",
}

SHOWN = 0.005  # an exact p below this settles that an attack knows something
PERCENT = {"privacy.copies", "privacy.hidden_rate", "rules.broken"}

VERDICTS = {  # a few words for the headline, and what it means
    "pass": ("passes the policy", "No check of the policy fails. Where a group is too small to tell, nothing is shown either way, and the lines below say so."),
    "fail": ("does not pass the policy", "At least one check lies beyond the policy’s limit. A refusal is a result: the reasons say what to change."),
    "inconclusive": ("undecided", "No leak is shown, and not every leak that the policy forbids can be ruled out with so few patients."),
    "control unusable": (
        "the hold-out cannot serve as a control",
        "Every attack compares patients the generator saw with patients it never saw. Here the two cannot be compared, so no figure that leans on the hold-out counts.",
    ),
    "of no use": ("of no use", "Nothing of this is about privacy: what was made would mislead whoever uses it."),
}
MARKS = {"good": "✓", "short": "▽", "bad": "✕", "wait": "?", "none": "–"}

AUC = (
    "if every patient were exposed alike it would be a Gaussian mechanism of mu 0.36: about one patient an attacker is right at most 57 % of the time, like epsilon of about 1.7 (at delta 1e-9). "
    "An average also permits 15 to 20 % of the patients to be exposed and the others not at all, which is why the tail stands beside it."
)
NOT_SHOWN = (
    "The attacks tried here are a lower bound: a better attacker may do better, and one who holds the model itself is not covered.",
    "Nothing here speaks for patients who were not in the source table, and an analysis that is not listed below was not tested.",
)
NO_GUARANTEE = "There is no privacy budget behind this release, so no mathematical guarantee."
NO_HOLDOUT = "No patients were held out: what needs unseen patients for comparison was not measured, and nothing here can clear this release."
NO_ENDPOINTS = "No analysis was declared: whether conclusions carry over is unknown."
UNTESTED = "No declared analysis could be tested: whether conclusions carry over is unknown."

GLOSSARY = (
    ("patient", "the unit of everything here; many rows of one patient are kept together."),
    ("train", "the patients the generator learnt from."),
    ("hold-out", "patients of the same table that the generator never saw. They show what “new patients” would score."),
    ("synthetic", "made by the generator; no row stands for a person."),
    ("interval", "95 % interval: where the figure would likely fall if the study were repeated."),
    (
        "as good as real",
        "what as many fresh patients would score. It is not zero: two samples always differ. Whoever scores better has copied chance, and gains nothing here.",
    ),
    (
        "useless",
        "the same score for columns drawn independently of each other: every relation lost. Of a single column: one value for everybody, or all values alike.",
    ),
    ("✓ good", "as good as real, or no leak, and measured well enough to tell."),
    ("▽ short of real", "settled: worse than fresh patients; of an attack: right more often than a coin."),
    ("? too few patients to tell", "what was measured spans more than half of the way from real to useless, or reaches across its limit."),
    ("✕ useless, or leak shown", "settled: no better than useless, or beyond the policy’s limit."),
    (
        "interval from refits",
        "the generator is fitted again, many times, to as many patients drawn with replacement from train; each time rows are drawn and analysed. How far these "
        "estimates scatter, and how far they lie from the patients' own, makes the width; the centre stays where the release is.",
    ),
    (
        "widened interval (T_s)",
        "an estimate made on synthetic rows carries the error of the patients and of the drawing; T_s adds both. It holds if the generator's model is right.",
    ),
    ("estimates that agree", "the synthetic estimate lies inside the 95 % interval of the patients; of fresh patients about 83 % do."),
    ("decision kept", "significant at 5 % in the same direction on both tables, or on neither; neither alone says little."),
    ("total variation", "half the sum of differences between two tables of shares: 0 is equal, 1 is disjoint."),
    ("Hellinger", "one distance for all columns together, 0 equal to 1 disjoint."),
    ("attack AUC", "how often the attacker ranks a patient of the train table above an unseen one: 0.5 is a coin, 1 is always right."),
    ("an AUC of 0.60", AUC),
    ("isolated patients", "those with the fewest similar others; they are recognised first."),
    ("hidden rate", "share of patients whose own synthetic row is not the nearest one to them."),
    ("local cloaking", "how many synthetic rows stand nearer to a patient than his own; higher is better."),
    ("ledger", "the list of every look at the patients' rows, with its price. Looking at the rows themselves costs infinity."),
    ("epsilon, delta", "how much one patient can change what is released, at worst, under differential privacy; smaller is stricter."),
)


def number(value: float, *, decimals: int | None = None) -> str:
    """A figure with three significant digits, thousands grouped, a true minus sign.

    >>> number(0.06642), number(1497.0), number(0.9), number(-0.25), number(float("nan"))
    ('0.0664', '1,497', '0.900', '−0.250', '–')
    """
    if not math.isfinite(value):
        return "∞" if value == math.inf else "–"
    places = _decimals(value) if decimals is None else decimals
    text = f"{value:,.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(value: float) -> str:
    r"""A share as a percentage of three significant digits at most.

    >>> [percent(share).replace("\u00a0", " ") for share in (0.1234, 0.0, 1.0, 0.00012)]
    ['12.3 %', '0 %', '100 %', '0.012 %']
    """
    if not math.isfinite(value):
        return "–"
    hundred = 100 * value
    text = f"{hundred:.3g}" if 1 <= abs(hundred) < 100 else f"{hundred:.2g}" if abs(hundred) < 1 else f"{hundred:.0f}"
    return f"{float(text):.3f}".rstrip("0").rstrip(".").replace("-", "−") + "\u00a0%"


def short(value: float) -> str:
    """1e-9 as people write it."""
    return f"{value:g}".replace("e-0", "e-")


def interval(low: float, high: float, *, decimals: int | None = None) -> str:
    """An interval in brackets; "to" where a minus sign would be misread.

    >>> interval(0.061, 0.072), interval(-0.2, 0.1)
    ('(0.0610–0.0720)', '(−0.200 to 0.100)')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    places = max(_decimals(low), _decimals(high)) if decimals is None else decimals
    between = " to " if low < 0 else "–"
    return f"({number(low, decimals=places)}{between}{number(high, decimals=places)})"


def figure(finding: Finding, value: float) -> str:
    """A mark on a finding's scale (a limit, chance, a floor) in its own unit, without idle zeros.

    >>> figure(Finding("membership.distance", 0.5, 0.4, 0.6, 9, "lower"), 0.6)
    '0.60'
    """
    if finding.name in PERCENT:
        return percent(value)
    text = number(value)
    while "." in text and text.endswith("0") and len(text.partition(".")[2]) > 2:
        text = text[:-1]
    return text


def span(finding: Finding, low: float, high: float) -> str:
    """Two marks as one range, both ends with the same decimals."""
    ends = figure(finding, low), figure(finding, high)
    if finding.name in PERCENT:
        return f"{_bare(ends[0])}–{ends[1]}"
    places = max(len(end.partition(".")[2]) for end in ends)
    return "–".join(number(v, decimals=places) for v in (low, high))


def estimate(finding: Finding) -> str:
    """The value with its interval, or "not measured"."""
    if not finding.measured:
        return "not measured"
    return " ".join(part for part in parts(finding) if part)


def parts(finding: Finding) -> tuple[str, str]:
    """The measured value and its interval as two texts, with no more digits than the interval deserves."""
    if finding.name in PERCENT:
        between = " to " if finding.low < 0 else "–"
        ends = f"({_bare(percent(finding.low))}{between}{percent(finding.high)})" if math.isfinite(finding.low) else ""
        return percent(finding.value), ends
    places = precision(finding.value, finding.low, finding.high)
    return number(finding.value, decimals=places), interval(finding.low, finding.high, decimals=places)


def precision(value: float, low: float, high: float) -> int:
    """Decimals for an estimate: three significant digits, fewer where half the interval has less than two.

    >>> precision(0.81, 0.68, 0.92), precision(0.0664, 0.0612, 0.0721), precision(0.0, 0.0, 0.002)
    (2, 4, 4)
    """
    half = (high - low) / 2
    if not (math.isfinite(half) and half > 0):
        return _decimals(value)
    room = max(0, min(4, 1 - math.floor(math.log10(half))))
    return min(room, _decimals(value)) if value else room


def label(finding: Finding) -> str:
    """The human name of a finding, without its ``where``."""
    text = finding.label.removesuffix(f", {finding.where}") or LABELS.get(finding.name, finding.name)
    return text[:1].upper() + text[1:]


def inline(text: str) -> str:
    """A label inside a sentence: first letter small unless it is an abbreviation.

    >>> inline("Pairs of columns"), inline("TSTR")
    ('pairs of columns', 'TSTR')
    """
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def full_label(finding: Finding) -> str:
    """The human name of a finding with its ``where``."""
    return f"{label(finding)}, {finding.where}" if finding.where and finding.where not in label(finding) else label(finding)


def stands(finding: Finding, standing: Standing, limit: float | None = None) -> str:
    """An outcome in the words that fit the figure.

    >>> stands(Finding("fidelity.pairs", 0.1, 0.1, 0.1, 9, "lower"), "good")
    'as good as real'
    """
    if finding.name.startswith("control."):
        return {"good": "nothing against it", "useless": "no fair control"}.get(standing, standing)
    if standing == "leak shown" and limit is not None and not settled(finding, limit):
        return "beyond the limit"
    if standing == "good":
        return "no leak shown" if is_private(finding) else "as good as real" if limit is None else "within the limit"
    if standing == "short of real" and is_private(finding):
        return "better than a coin" if is_attack(finding) else "more than chance"
    return "beyond the limit" if standing == "useless" and limit is not None else standing


def settled(finding: Finding, limit: float) -> bool:
    """Whether a figure beyond a limit is so with its whole interval, or by an exact test."""
    s = scale(finding, limit)
    return finding.beside.get("p", 1.0) < SHOWN or min(s.sign * s.low, s.sign * s.high) > s.sign * limit


def would_do(finding: Finding, standing: Standing, limit: float | None = None) -> str:
    """How many would settle what could not be told; "" where it was.

    >>> would_do(Finding("membership.distance", 0.5, 0.3, 0.7, 50, "lower", {"chance": 0.5}), "too few patients to tell", 0.6)
    'about 200 would do, here are 50'
    """
    if standing != "too few patients to tell":
        return ""
    if scale(finding, limit).blind:
        return "not with this table: fresh patients would score no better than useless"
    enough = None if finding.name.startswith("endpoint.") and not finding.name.startswith("endpoint.curve") else needed(finding, limit)
    return "not with this table" if enough is None else f"about {_round(enough):,} would do, here are {finding.n:,}"


def _round(n: int) -> int:
    """Upwards to two digits: nobody knows it better."""
    unit = int("1" + "0" * max(0, len(str(n)) - 2))
    return -(-n // unit) * unit


def above(finding: Finding) -> str:
    """The excess over fresh patients in words; "" where they do not stand beside the figure."""
    far = excess(finding)
    if not math.isfinite(far):
        return ""
    text = "0" if far == 0 else percent(far) if finding.name in PERCENT else number(far, decimals=precision(finding.value, finding.low, finding.high))
    return f"{text} {'above' if finding.better == 'lower' else 'below'} fresh patients"


def count(n: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> count(1, "copy", "copies"), count(1497, "patient")
    ('1 copy', '1,497 patients')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """First letter upper, one full stop at the end.

    >>> sentence("all checks pass"), sentence("")
    ('All checks pass.', '')
    """
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def _bare(text: str) -> str:
    return text.removesuffix("\u00a0%")


def _decimals(value: float) -> int:
    if value == 0 or not math.isfinite(value):
        return 2
    return max(0, min(4, 2 - math.floor(math.log10(abs(value)) + 1e-12)))
