"""What is biologically possible for well-known quantities, by the name of a column: proposals in comments, which a person confirms."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twinset.io.words import words


@dataclass(frozen=True)
class Plausible:
    """Bounds that hold for any person. ``what``: the quantity and the unit they are for."""

    what: str
    low: float
    high: float


WHEN = r"( (at|bl|baseline|first|last|admission|adm|entry|visit|mean|avg|max|min|start|end|[0-9]+))*"
KNOWN: tuple[tuple[str, Plausible], ...] = (
    (r"^(patient |xage ?|maternal |mother |paternal |donor |recipient )?(age|alter|xage)( (yrs|years|yr|jahre|(at )?(baseline|diagnosis|entry|admission|enrol\w*|death|visit|onset)|bl))?$",
     Plausible("age in years", 0, 120)),
    (r"\b(pct|percent|percentage|prozent)\b", Plausible("a percentage", 0, 100)),
    (r"\b(bmi|body mass index)\b" + WHEN + "$", Plausible("body mass index in kg/m2", 8, 100)),
    (r"\b(sbp|sysbp|systolic|trestbps|blood pressure systolic)\b", Plausible("systolic blood pressure in mmHg", 40, 300)),
    (r"\b(dbp|diabp|diastolic)\b", Plausible("diastolic blood pressure in mmHg", 10, 200)),
    (r"\b(heart ?rate|hr|pulse|puls)\b(?! ratio)", Plausible("heart rate per minute", 20, 300)),
    (r"\b(resp(iratory)? ?rate|resprate)\b", Plausible("breaths per minute", 0, 120)),
    (r"^(body )?(temp|temperature|temperatur)( ?(c|celsius))?" + WHEN + "$", Plausible("body temperature in degrees Celsius", 25, 45)),
    (r"^(body )?(weight|gewicht|wt|wtkg|wgt)( ?(kg|bl|baseline))?$", Plausible("body weight in kg", 0, 400)),
    (r"^(body )?(height|groesse|größe|ht|htcm|hgt)( ?(cm|bl|baseline))?$", Plausible("body height in cm", 20, 280)),
    (r"\b(lvef|ejection fraction)\b", Plausible("left ventricular ejection fraction in percent", 0, 100)),
    (r"\b(spo2|sao2|oxygen saturation)\b", Plausible("oxygen saturation in percent", 0, 100)),
    (r"\b(gcs|glasgow coma (scale|score))$", Plausible("Glasgow coma scale", 3, 15)),
    (r"\bmmse\b", Plausible("mini-mental state examination", 0, 30)),
    (r"\b(phq9|phq 9)\b", Plausible("PHQ-9", 0, 27)),
    (r"\bnihss\b", Plausible("NIH stroke scale", 0, 42)),
    (r"\b(karnof\w*|karno|kps)\b", Plausible("Karnofsky index", 0, 100)),
    (r"^(year of birth|birth year|yob)$", Plausible("year of birth", 1880, 2050)),
)  # fmt: skip


def plausible(name: str) -> Plausible | None:
    """Bounds of the quantity that a column is called after, in the unit that is usual for it; ``None`` where the name says nothing certain.

    The name only is looked at: the unit may be another one, so the bounds are a proposal.

    >>> plausible("AgeAtDiagnosis")
    Plausible(what='age in years', low=0, high=120)
    >>> plausible("stage") is None
    True
    """
    called = " ".join(words(name))
    return next((made for pattern, made in KNOWN if re.search(pattern, called)), None)
