"""What a column seems to be for, from its name and its cells: proposals for a person to check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from twinset.core.schema import Column, Level, Role
from twinset.io.survival import event_stem, survival_pairs
from twinset.io.words import plain, vocabulary, words

ARMS = (
    "arms", "arm", "trt", "treat", "treatment", "tx", "rx", "trt01p", "trtp", "actarm", "allocation", "randomised", "randomized", "randomisation", "randomization",
    "treatment arm", "study arm", "treatment group", "study group", "trt group", "trial arm", "planned treatment", "assigned treatment", "intervention",
    "behandlung", "behandlungsarm", "behandlungsgruppe", "studienarm", "therapiearm", "therapie", "traitement", "bras", "bras de traitement", "tratamiento", "brazo", "rama",
    "grupo de tratamiento", "brazo de tratamiento", "groupe de traitement", "group", "grp", "gruppe", "groupe", "grupo",
)  # fmt: skip
THERAPY = vocabulary("hormon hormone hormones hormonal chemo chemotherapy radiotherapy immunotherapy therapy horth hormontherapie chemotherapie")
EXACT_OUTCOMES = vocabulary("class target label result response outcome y endpoint ergebnis resultat zielgrosse resultado reponse respuesta")
OUTCOMES = vocabulary(
    "outcome readmitted improved survives survived survival mortality death died dead recurrence relapse biopsy hospdead ergebnis resultado verstorben gestorben rezidiv deces "
    "responder responded success ansprechen rechute recidive fallecido muerte recaida mortalidad mortalite mortalitat remission response cured healed"
)
PLACE = re.compile(
    r"(study|treating|trial)?(hosp(ital)?|clinic|klinik|krankenhaus|zentrum|studienzentrum|station|praxis|abteilung|arzt|hopital|centro|clinica|medico|cent(er|re)|ctr|facility|ward|provider|practice|physician|doctor|surgeon|cntry|site|inst(itution)?|dataset|department|dept)"
    r"(num|no|id|code|nbr|name|number|s)?"
)
SAFE_AGE = vocabulary(
    "age ages xage agegr alter lebensalter edad of the time pre op preop operation surgery randomisation randomization inclusion transplant transplantation first visit dx at diagnosis years yrs year group grp gr cat band decade months mo baseline bl entry enrolment enrollment admission patient aged range class "
    "jahre jahren bei diagnose diagnosestellung aufnahme einschluss randomisierung beginn therapiebeginn op operation ans annees anos al a la inclusion diagnostic diagnostico ingreso"
)
AGE = vocabulary("age ages xage agegr alter lebensalter edad")
YEAR = re.compile(r"(year|yr|jahr|annee|ano)s?|\w{1,4}(yr|year)|(yr|year)\w{1,4}")
BORN = (1880, 2100)
QUASI = vocabulary(
    "geschlecht geschl sexe sexo genre genero ethnie raza plz postleitzahl wohnort ort ville ciudad land pays pais bundesland region nationalitat nationalite nacionalidad familienstand "
    "beruf groesse grosse gewicht taille poids talla peso estatura altura geburtsdatum geburtsjahr gebdat naissance nacimiento profesion codigo schulbildung bildung "
    "sex gender male female race race1 race3 raceth ethnic ethnicity hispanic hisp black white asian zip zip3 postcode city town county state region country nationality native "
    "marital marstat married education educ edu edulevel educdec occupation job profession employment language religion height weight wtkg bmi born birth yob born placesize socprof"
)
SENSITIVE = vocabulary(
    "hiv aids std stds sti syphilis gonorrhea chlamydia herpes hpv homo homosexual ivdrug drug drugs marijuana marij cannabis cocaine opioid alcohol alcabuse alc alcsol smoker smokes smoke "
    "abortion ab stillbirth pregnancy pregnancies pregnant pregnancy depress depressed depression psych psychiatric suicide suicidal mental schizophrenia dementia addict addiction abuse "
    "income salary payor payer insurance diag diagnosis icd icd9 icd10 dx genetic genotype brca sexual sex orientation partner partners"
)
CODES = vocabulary("id code nbr icd icd9 icd10 zip zipcode postcode")
NO_OUTCOME = vocabulary("start stop date day week month visit time id no number")
WHEN = vocabulary("date day days week weeks month months time year woche monat tag semaine mois jour semana mes dia")
SIGNS = (((), True), (("death",), True))
MOST_ARMS, MOST_OUTCOMES, FEW_OUTCOMES, MOST_CODES = 8, 25, 5, 1000


def is_code(series: pl.Series) -> bool:
    """Whether whole numbers are names of something (a hospital, a type): its name says so and each occurs many times."""
    parts = words(series.name)
    named = bool(parts) and (parts[-1] in CODES or is_place(series.name))
    return named and series.n_unique() <= min(MOST_CODES, max(2, series.len() / 10))


def is_place(name: str) -> bool:
    """Whether a name says hospital, centre, ward, doctor ... and nothing else."""
    return PLACE.fullmatch("".join(words(name))) is not None


def with_roles(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns with a role each where one is plain. Identifiers keep theirs; times and events come in pairs, of which there may be several; one outcome at most.

    Proposals only: a name can mislead.
    """
    free = [c for c in columns if c.synthesised]
    arms = _arms(free)
    roles: dict[str, Role] = dict.fromkeys(arms, "arm")
    pairs = survival_pairs([replace(c, role=_plain_role(c)) for c in free], taken=arms)
    for pair in pairs:
        roles[pair.time], roles[pair.event] = "time", "event"
    outcome = _outcome([c for c in free if c.name not in roles], columns, arms=bool(arms), pairs=bool(pairs))
    if outcome:
        roles[outcome] = "outcome"
    return tuple(replace(c, role=roles.get(c.name) or _plain_role(c)) if c.synthesised and not c.role else c for c in columns)


def _first(columns: Sequence[Column], names: Sequence[str], fits: Callable[[Column], bool]) -> str:
    """The column that fits and has the foremost of these names (a letter at the end, as in ``time_d``, is another column)."""
    called = {_said(c): c for c in reversed(columns)}
    return next((called[n].name for n in names if n in called and fits(called[n])), "")


def _said(column: Column) -> str:
    return " ".join(plain(w) for w in words(column.name))


def _arms(columns: Sequence[Column]) -> tuple[str, ...]:
    def fits(column: Column) -> bool:
        return column.kind == "category" and 2 <= len(column.levels) <= MOST_ARMS

    factors = tuple(c.name for c in columns if c.name.lower().startswith("rx") and len(c.name) > 2 and fits(c))
    one = _first(columns, ARMS, fits)
    if one or factors:
        return (one,) if one else factors
    therapies = [c.name for c in columns if len(c.levels) == 2 and fits(c) and set(_said(c).split()) <= THERAPY | {"horth", "hor", "th"}]
    return tuple(therapies) if len(therapies) == 1 else ()


def _outcome(free: Sequence[Column], columns: Sequence[Column], *, arms: bool, pairs: bool) -> str:
    """The outcome by name; else, where nothing is told of time and event, a status alone; else the last column, where it can be one."""
    for names in (exact_outcome, some_outcome):
        found = next((c.name for c in reversed(free) if names(c)), "")
        if found:
            return found
    if pairs or not free:
        return ""
    signs = [c.name for c in free if c.kind == "category" and 2 <= len(c.levels) <= 3 and event_stem(c.name) in SIGNS]
    if len(signs) == 1:
        return signs[0]
    last = free[-1]
    several = any(c.identifier == "patient number" for c in columns)
    if (
        (several and not arms)
        or last is not columns[-1]
        or re.search(r"(start|stop|end|date)$", _said(last))
        or _plain_role(last) not in ("", "sensitive")
        or set(_said(last).split()) & NO_OUTCOME
    ):
        return ""
    return last.name if (2 <= len(last.levels) <= (MOST_OUTCOMES if arms else FEW_OUTCOMES)) or (arms and last.kind in ("number", "integer")) else ""


def exact_outcome(column: Column) -> bool:
    """A category or number called class, target, result ... and nothing else."""
    return (_few_levels(column) or column.kind in ("number", "integer")) and set(_said(column).split()) <= EXACT_OUTCOMES


def some_outcome(column: Column) -> bool:
    """A category whose name has a word for an outcome in it, and none for when it came."""
    said = set(_said(column).split())
    return _few_levels(column) and bool(OUTCOMES & said) and not said & WHEN


def _few_levels(column: Column) -> bool:
    return column.kind == "category" and 2 <= len(column.levels) <= MOST_OUTCOMES


def _plain_role(column: Column) -> Role:
    has = set(_said(column).split())
    if is_place(column.name) and column.kind in ("category", "integer"):
        return "group"
    if column.kind in ("date", "datetime") or (has & AGE and has <= SAFE_AGE):
        return "quasi-identifier"
    if has & {"date", "rdate"} and column.kind == "category":
        return "quasi-identifier"
    if _is_year(column, has):
        return "quasi-identifier"
    if has & QUASI and ("sex" not in has or has <= {"sex", "at", "birth", "patient", "donor", "recipient", "mother", "child", "baby", "partner"}):
        return "quasi-identifier"
    return "sensitive" if has & SENSITIVE else ""


def _is_year(column: Column, has: set[str]) -> bool:
    """A calendar year: of diagnosis, of birth, of the operation."""
    if not any(YEAR.fullmatch(w) for w in has):
        return False
    ends = [v for v in (column.low, column.high, *column.levels) if isinstance(v, (int, float))]
    return bool(ends) and ((BORN[0] <= min(ends) and max(ends) <= BORN[1]) or (has >= {"year", "of"} and min(ends) >= 0 and max(ends) < 100))


def reference(column: Column) -> Level:
    """The arm to compare against: placebo, control, standard, none; else the first."""
    said = ("placebo", "control", "standard", "usual", "none", "untreated", "sham", "observ", "kontroll", "plazebo", "temoin")
    exact = ("no", "nein", "non", "obs", "ctrl", "pbo", "c")
    texts = [(plain(v), v) for v in column.levels if isinstance(v, str)]
    return next((v for p, v in texts if p in exact or any(s in p for s in said)), column.levels[0])
