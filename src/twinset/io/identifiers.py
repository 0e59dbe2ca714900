"""Direct identifiers: columns that name a person, found by what they are called and by what they hold.

Sources: the eighteen identifiers of the HIPAA safe harbour, 45 CFR 164.514(b)(2), and what national records add.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from twinset.io.shapes import mixed, unreadable
from twinset.io.words import vocabulary, words

SAMPLE = 5000
FEW_ROWS = 20

NAME_WORDS = vocabulary(
    "firstname lastname surname forename fullname fname lname givenname maidenname initials prenom prénom vorname nachname familienname apellido apellidos nombre "
    "patientname subjectname cognome patientenname zuname rufname surnames nom sobrenome achternaam voornaam"
)
NAME_BEFORE = vocabulary("first last full given family maiden middle patient subject person sur fore mother father next contact relative participant")
PERSON_WORDS = vocabulary(
    "patientennummer patientennr patnr patientnr probandennummer probandennr patientenid "
    "id pid pidnum patid patientid patientnumber subjid subjectid usubjid personid userid mrn upi sno subject patient person participant ptid empi ipp"
)
PERSON_BEFORE = vocabulary("patienten proband probanden paciente patient subject person participant user member client pt pat subj study enrollee")
RECORD_BEFORE = vocabulary(
    "case sample encounter visit admission record specimen accession medical hospital account enrolment enrollment randomisation randomization screening insurance "
    "episode claim certificate policy order device serial licence license row line chart file stay event"
)
RECORD_AFTER = vocabulary("id ids identifier nbr number no num key uuid guid nr code")
COUNTED = vocabulary(
    "visit visite visita visits time zeit temps tiempo day days tag tage week weeks woche wochen month months monat year jahr years cycle age alter hour minute dose dosis"
)
CODE_LISTS = vocabulary("concept type status category class disposition")
NATIONAL_WORDS = vocabulary("ssn nhs nino nir niss bsn cpr cpf dni nie pesel personnummer ahv svnr aadhaar medicare medicaid passport insee")
BIRTH_WORDS = vocabulary(
    "dob birthdate birthday dateofbirth birthdt brthdtc geburtsdatum geburtstag gebdat gebdatum naissance nascimento nacimiento nascita geboortedatum"
)
BIRTH_PAIRS = ({"birth", "date"}, {"birth", "dt"}, {"date", "born"}, {"geb", "datum"}, {"geburts", "datum"})
POST_WORDS = vocabulary("zip zipcode postcode postal postalcode plz eircode cep")
ADDRESS_WORDS = vocabulary("address addr street adresse strasse straße rue direccion")
PHONE_WORDS = vocabulary("phone telephone tel mobile cell fax telefon handy")
MAIL_WORDS = vocabulary("email mail courriel")
TEXT_WORDS = vocabulary("comment comments note notes remark remarks narrative freetext bemerkung commentaire")

PATTERNS = (
    ("e-mail", r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"),
    ("web address", r"(?i)^(https?://|www\.)\S+$"),
    ("network address", r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$"),
    ("device number", r"(?i)^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$"),
    ("record number", r"(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    ("national number", r"^\d{3}-\d{2}-\d{4}$"),
    ("postcode", r"(?i)^([a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|[a-z]\d[a-z] ?\d[a-z]\d|\d{5}-\d{4})$"),
)
TITLED = (
    r"(?i:\b(dr|prof|professor|doctor|doktor|dott|dra|docteur|schwester|pfleger|oberarzt|oberärztin|chefarzt|chefärztin|stationsarzt|hebamme|sister|nurse|midwife"
    r"|mr|mrs|frau|herr|mme|madame|monsieur|infirmi[eè]re?|señora?|enfermer[ao]))\.?(\s+(med|univ|rer|nat|Dr|Prof)\.?)*\s+\p{Lu}[\p{L}'’.-]*"
)
TASKS = r"(?i)\b(visits?|calls?|practitioners?|specialists?|consult\w*|led|clinics?|station|team|staff|office|unit|review|referral|education)\b"
PHONE = r"^(\+|00)?[\d\s().\-/]{8,20}$"
DATE_LIKE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
FORENAMES = vocabulary(
    "james mary john patricia robert jennifer michael linda william elizabeth david barbara richard susan joseph jessica thomas sarah charles karen christopher lisa daniel nancy "
    "matthew betty anthony margaret mark sandra donald ashley steven kimberly paul emily andrew donna joshua michelle kenneth carol kevin amanda brian melissa george deborah "
    "jean pierre marie jacques anne michel françois francois catherine isabelle nicolas sophie philippe nathalie julien camille hans peter klaus wolfgang jürgen ursula monika "
    "petra sabine andreas stefan anna maria josé jose juan antonio manuel carmen ana luis carlos francisco isabel giuseppe giovanni antonio mario luigi rosa angela francesca "
    "mohammed muhammad ahmed fatima ali hassan aisha omar ibrahim wei ming li yan hiroshi yuki raj priya anil sunita amit olga ivan natalia dmitri elena sergei erik lars ingrid "
    "emma olivia noah liam sophia lucas mia jack harry grace amelia chloe ella"
)
SURNAMES = vocabulary(
    "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson thomas taylor moore jackson martin lee perez thompson white "
    "harris sanchez clark ramirez lewis robinson walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter roberts "
    "bauer krause richter hofmann hartmann krüger schröder neumann zimmermann schmitt werner lehmann köhler herrmann könig walter mayer huber kaiser peters scholz möller "
    "weiß hahn schubert vogel friedrich keller günther berger winkler lorenz baumann albrecht schuster ludwig böhm schumacher krämer vogt jäger seidel heinrich brandt "
    "schreiber schulte dietrich ziegler kuhn kühn pohl bergmann voigt sauer wolff pfeiffer petit richard robert garnier faure rousseau blanc guerin boyer lefevre "
    "colombo ricci marino greco gallo conti costa giordano mancini lombardi moretti fernández fernandez garcía gómez gomez díaz diaz ruiz álvarez alvarez moreno jiménez "
    "romero navarro ramos gil molina ortega delgado castro ortiz rubio pereira ferreira almeida visser smit meijer mulder bos vos peeters maes nielsen jensen pedersen "
    "müller schmidt schneider fischer weber meyer wagner becker schulz hoffmann bernard dubois durand leroy moreau simon laurent lefebvre michel rossi russo ferrari esposito bianchi "
    "silva santos oliveira souza kim park chen wang zhang liu singh kumar patel khan jansen de vries bakker larsen hansen johansson andersson nilsson murphy kelly evans"
)


def identifier(series: pl.Series) -> str:
    """What kind of direct identifier this column is; "" if it is none that we recognise.

    Kinds: name, record number, row number, patient number (one that repeats: the patient of several rows), national number, date of birth,
    postcode, address, phone, e-mail, web address, network address, device number, free text. Measurements with unique values
    (laboratory results, costs) are none. It misses names in scripts and columns it has no word for: a person must look.

    >>> identifier(pl.Series("fake_first_name", ["arya", "bran"] * 20)), identifier(pl.Series("age", list(range(40))))
    ('name', '')
    """
    seen = series.drop_nulls()
    if not len(seen):
        return ""
    if seen.dtype == pl.String:
        plain = _by_pattern(seen) or _by_name(seen) or _number_by_name(seen)
        return plain or ("" if unreadable(seen) else _by_shape(seen) or ("" if mixed(seen) else _text(seen)))
    if seen.dtype.is_temporal():
        return _by_name(seen)
    if seen.dtype.is_numeric() and _whole(seen):
        return _by_name(seen) or _number_by_name(seen) or _row_number(series, seen) or _number(seen)
    return ""


def _whole(seen: pl.Series) -> bool:
    return seen.dtype.is_integer() or bool((seen == seen.round(0)).all())


def _by_name(seen: pl.Series) -> str:
    """Births, names, addresses, telephones: the column's name says so and its cells could be that."""
    parts, n, n_distinct = words(seen.name), len(seen), seen.n_unique()
    has, is_text, is_date = frozenset(parts), seen.dtype == pl.String, seen.dtype.is_temporal()
    born = bool(has & BIRTH_WORDS) or any(pair <= has for pair in BIRTH_PAIRS)
    called_name = bool(has & NAME_WORDS) or parts == ("name",) or (parts[-1:] == ("name",) and bool(has & NAME_BEFORE))
    tests = (
        ("date of birth", born and (is_text or is_date)),
        ("national number", not is_date and bool(has & NATIONAL_WORDS) and n_distinct > max(5, n // 10)),
        ("postcode", not is_date and bool(has & POST_WORDS) and _width(seen) >= 4),
        ("phone", not is_date and bool(has & PHONE_WORDS) and n_distinct > n // 2 and _width(seen) >= 6),
        ("name", is_text and called_name),
        ("e-mail", is_text and bool(has & MAIL_WORDS) and n_distinct > n // 2),
        ("address", is_text and bool(has & ADDRESS_WORDS) and n_distinct > n // 10),
        ("free text", is_text and bool(has & TEXT_WORDS) and n_distinct > max(20, n // 10)),
    )
    return next((kind for kind, hit in tests if hit), "")


def _width(seen: pl.Series) -> int:
    """Characters of a typical cell."""
    middle = seen.cast(pl.String).str.len_chars().median()
    return int(middle) if isinstance(middle, (int, float)) else 0


def _by_pattern(seen: pl.Series) -> str:
    """What most distinct cells look like."""
    sample = seen.unique(maintain_order=True).head(SAMPLE)
    for kind, pattern in PATTERNS:
        if _share(sample, pattern) >= 0.5:
            return kind
    return ""


def _by_shape(seen: pl.Series) -> str:
    """Telephone numbers, NHS numbers and people's names under a column name that does not say so."""
    sample = seen.unique(maintain_order=True).head(SAMPLE)
    long = sample.str.count_matches(r"\d") >= 8
    if _share(sample.filter(long), PHONE) >= 0.5 and long.mean() == 1 and _share(sample, DATE_LIKE) < 0.5 and _share(sample, r"^[\d.]+$") < 0.5:
        return "phone"
    if _share(sample, r"^\d{3} ?\d{3} ?\d{4}$") == 1 and _nhs(sample):
        return "national number"
    return "name" if _person_names(sample) else ""


def _share(sample: pl.Series, pattern: str) -> float:
    return float(sample.str.contains(pattern).sum()) / len(sample) if len(sample) else 0.0


def _nhs(sample: pl.Series) -> bool:
    """All numbers carry the check digit of an NHS number (modulo 11), too many for chance."""
    if len(sample) < FEW_ROWS:
        return False
    digits = sample.cast(pl.String).str.replace_all(" ", "")
    columns = np.array([digits.str.slice(i, 1).cast(pl.Int64).to_numpy() for i in range(10)])
    total = np.arange(10, 1, -1) @ columns[:9]
    return bool(np.all((11 - total % 11) % 11 == columns[9]))


def _person_names(sample: pl.Series) -> bool:
    """Many of the distinct texts are, or begin or end with, common names of people, or most are a title and a name (staff)."""
    titled = sample.str.contains(TITLED) & ~sample.str.contains(TASKS)
    if len(sample) >= 2 and (titled.mean() or 0) >= 0.5:  # type: ignore[operator]
        return True
    if len(sample) < 10:
        return False
    parts = sample.str.to_lowercase().str.replace_all(r"[,.]", " ").str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    count = parts.list.len()
    alone = int((parts.list.first().is_in(list(FORENAMES | SURNAMES)) & (count == 1)).sum())
    pairs = int(((parts.list.first().is_in(list(FORENAMES)) | parts.list.last().is_in(list(FORENAMES))) & count.is_between(2, 4)).sum())
    return alone + pairs >= max(6, 0.25 * len(sample))


def _number_by_name(seen: pl.Series) -> str:
    """A record's or a patient's number: called so, and with enough distinct values to be one."""
    parts = words(seen.name)
    has = frozenset(parts)
    ends = bool(parts) and parts[-1] in RECORD_AFTER
    person = (len(parts) == 1 and parts[0] in PERSON_WORDS) or (ends and bool(has & PERSON_BEFORE)) or bool(has & {"mrn", "usubjid"})
    record = (ends and bool(has & RECORD_BEFORE)) or parts[-1:] in (("id",), ("uuid",), ("guid",))
    n, n_distinct = len(seen), seen.n_unique()
    if not (person or record) or n_distinct < 3 or has & CODE_LISTS:
        return ""
    if n_distinct == n:
        return "record number"
    if person and n_distinct >= max(3, n // 5000):
        return "patient number"
    return "record number" if record and n_distinct > n / 10 else ""


def _number(seen: pl.Series) -> str:
    """Whole numbers that count or name the rows: all different and nearly consecutive, or all with the same many digits."""
    n, n_distinct = len(seen), seen.n_unique()
    if n < 30:
        return ""
    low, high = seen.min(), seen.max()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or low < 0:
        return ""
    digits = len(str(int(low))) if len(str(int(low))) == len(str(int(high))) else 0
    if n_distinct == n and n >= 100 and (high - low < 1.5 * n or digits >= 6 or (digits >= 5 and seen.is_sorted())):
        return "record number"
    if digits == 10 and _nhs(seen.cast(pl.Int64).cast(pl.String).unique().head(SAMPLE)):
        return "national number"
    if digits >= 5 and n / 20 <= n_distinct <= n / 1.5 and int(seen.rle_id().max() or 0) + 1 == n_distinct:  # type: ignore[arg-type]
        return "patient number"
    return ""


def _row_number(series: pl.Series, seen: pl.Series) -> str:
    """Whole numbers that are exactly 1 to n in any order, each row one: whatever they are called, but for words of time, which may count a patient's visits."""
    n = len(series)
    exact = n >= 10 and len(seen) == n and seen.min() == 1 and seen.max() == n and seen.n_unique() == n
    return "row number" if exact and not frozenset(words(series.name)) & COUNTED else ""


def _text(seen: pl.Series) -> str:
    """Codes and sentences that nearly only one row each has."""
    n, n_distinct = len(seen), seen.n_unique()
    if n_distinct <= max(FEW_ROWS, n / 2) and not (FEW_ROWS > n >= 10 and n_distinct == n):
        return "free text" if n_distinct > max(100, n / 5) and _verbatim(seen, n_distinct) else ""
    sample = seen.unique(maintain_order=True).head(SAMPLE)
    code = _share(sample, r"^\S*\d\S*$") >= 0.8
    if code and n_distinct >= 0.9 * n and _share(sample, r"^[<>]?=?[+-]?\d+([.,]\d+)?$") < 0.5:
        return "record number"
    return "" if code else "free text"


def _verbatim(seen: pl.Series, n_distinct: int) -> bool:
    """Most texts occur once and many have several words: written by hand, with a few stock phrases."""
    n_once = int(seen.is_unique().sum())
    return n_once > 0.6 * n_distinct and _share(seen.unique(), r"\S\s+\S") > 0.3
