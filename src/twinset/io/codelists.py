"""Public code lists that a column may be written in: proposals for a private run, each with the body that issues it.

A list here is public knowledge. That a column is written in one is a fact of its format, which was looked up in the rows: a person confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from twinset.core.schema import Level
from twinset.io.words import words

LONG = 40  # a longer list is worth more than finding its levels only where most of it occurs


@dataclass(frozen=True)
class CodeList:
    """A finite list of codes that somebody issues.

    Attributes:
        name: what it codes.
        levels: all codes, in the spelling and type that was asked for.
        source: who issues it, and what is left out of it here.
        called: a pattern of column names, as words in lower case with blanks between, that ask for it.
        ordered: whether the order of the codes means something.
        speaks: so many of its levels seen tell the list without the name; 0 = the name must.
        weak: the levels alone could mean anything: the proposal needs a code book.
    """

    name: str
    levels: tuple[Level, ...]
    source: str
    called: str = r"(?!)"
    ordered: bool = False
    speaks: int = 0
    weak: bool = False

    @property
    def long(self) -> bool:
        """Whether the list is so long that declaring it can cost more accuracy than it saves."""
        return len(self.levels) > LONG


def suggest(name: str, levels: Sequence[Level]) -> CodeList | None:
    """The shortest public list that holds all these levels of the column ``name``, spelt and typed as they are; ``None`` where none does.

    The list is whole: also codes that the column does not hold. Lists that the column's name asks for come first; levels that speak for themselves need no name.

    >>> suggest("SEX", ["M", "F"]).levels, suggest("sex", [2, 1]).levels, suggest("smoker", ["Yes", "No"]).levels
    (('F', 'M'), (1, 2), ('No', 'Yes'))
    >>> suggest("arm", [1, 2]) is None
    True
    """
    seen = frozenset((type(v), v) for v in levels)
    if len({kind for kind, _ in seen}) != 1:
        return None
    called = " ".join(words(name))
    fits = [spelt for made in known() for spelt in _spellings(made, next(iter(seen))[0]) if seen <= {(type(v), v) for v in spelt.levels}]
    asked = [c for c in fits if re.search(c.called, called)]
    spoken = [c for c in fits if c.speaks and len(seen) >= c.speaks]
    return min(asked or spoken, key=lambda c: len(c.levels), default=None)


def _spellings(codes: CodeList, kind: type) -> Iterator[CodeList]:
    """The list with its codes in this type, and texts in each usual spelling."""
    if kind is bool or bool in {type(v) for v in codes.levels}:
        if kind is bool and all(isinstance(v, bool) for v in codes.levels):
            yield codes
        return
    whole = all(isinstance(v, int) for v in codes.levels)
    if kind is not str:
        if whole:
            yield replace(codes, levels=tuple(kind(v) for v in codes.levels))
        return
    texts = [str(v) for v in codes.levels]
    if whole and codes.weak:
        return
    for made in dict.fromkeys((tuple(texts), tuple(map(str.lower, texts)), tuple(map(str.upper, texts)), tuple(map(str.capitalize, texts)))):
        if len(set(made)) == len(made):
            yield replace(codes, levels=made)


ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII", "XVIII", "XIX", "XX", "XXI", "XXII")
SEX = r"^(\w+ )?(sex|gender|geschlecht|sexe)( (code|cd|at birth|source value))?$"
FLAG = r"^\w{1,6}fl$"  # CDISC: names of flags end in FL
ICD_CHAPTERS = (
    "A00-B99 C00-D48 D50-D89 E00-E90 F00-F99 G00-G99 H00-H59 H60-H95 I00-I99 J00-J99 K00-K93 L00-L99 M00-M99 N00-N99 O00-O99 P00-P96 Q00-Q99 R00-R99 S00-T98 "
    "V01-Y98 Z00-Z99 U00-U99"
)
ATC_GROUPS = {
    "A": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16", "B": "01 02 03 05 06", "C": "01 02 03 04 05 07 08 09 10", "D": "01 02 03 04 05 06 07 08 09 10 11",
    "G": "01 02 03 04", "H": "01 02 03 04 05", "J": "01 02 04 05 06 07", "L": "01 02 03 04", "M": "01 02 03 04 05 09", "N": "01 02 03 04 05 06 07",
    "P": "01 02 03", "R": "01 02 03 05 06 07", "S": "01 02 03", "V": "01 03 04 06 07 08 09 10 20",
}  # fmt: skip
ALPHA_2 = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW "
    "CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO "
    "IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ "
    "NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY "
    "SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
ALPHA_3 = (
    "ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN "
    "CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR "
    "GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM "
    "KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM "
    "NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE "
    "SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB "
    "VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE"
)
RACES = ("AMERICAN INDIAN OR ALASKA NATIVE", "ASIAN", "BLACK OR AFRICAN AMERICAN", "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER", "WHITE")
ENDINGS = ("FATAL", "NOT RECOVERED/NOT RESOLVED", "RECOVERED/RESOLVED", "RECOVERED/RESOLVED WITH SEQUELAE", "RECOVERING/RESOLVING", "UNKNOWN")
COUNTRY = r"\b(country|cntry|nationality|citizenship|land|staat|pays)\b"
AGE = r"\b(age|ages|agegr\d?|agegrp|alter|altersgruppe)\b"


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@lru_cache(maxsize=1)
def known() -> tuple[CodeList, ...]:
    """Every list, in its first spelling."""
    return (*_people(), *_answers(), *_times(), *_codes(), *_scales(), *_tumours(), *_trials(), *_ages())


def _people() -> Iterator[CodeList]:
    yield CodeList("sex", ("F", "M"), "CDISC codelist SEX, which also knows U and UNDIFFERENTIATED", SEX)
    yield CodeList("sex", ("F", "M", "U", "UNDIFFERENTIATED"), "CDISC codelist SEX", SEX)
    yield CodeList("sex", ("female", "male"), "HL7 FHIR administrative gender, which also knows other and unknown", SEX, speaks=2)
    yield CodeList("sex", ("female", "male", "other", "unknown"), "HL7 FHIR administrative gender", SEX, speaks=3)
    yield CodeList("sex", (1, 2), "ISO/IEC 5218: 1 male, 2 female; it also knows 0 not known, 9 not applicable", SEX)
    yield CodeList("sex", (0, 1), "no standard codes it as 0 and 1: only a code book can say that these are all", SEX, weak=True)
    yield CodeList("sex", (0, 1, 2, 9), "ISO/IEC 5218", SEX)
    yield CodeList("sex", ("M", "W"), "KBV key table of sex (Germany), which also knows D, U and X", SEX)
    yield CodeList("sex", ("D", "M", "U", "W", "X"), "KBV key table of sex (Germany)", SEX)
    yield CodeList("sex", ("männlich", "weiblich"), "German civil status law, which also knows divers", SEX, speaks=2)
    yield CodeList("sex", ("divers", "männlich", "weiblich"), "German civil status law", SEX, speaks=3)
    yield CodeList("sex", ("femme", "homme"), "INSEE (France)", SEX, speaks=2)
    yield CodeList("sex", (8507, 8532), "OHDSI vocabulary Gender, which also knows 8521, 8551 and 8570", r"\b(gender|sex) concept\b")
    yield CodeList("blood group", ("A", "AB", "B", "O"), "ISBT system ABO", r"\b(abo|blood ?(group|type)|blutgruppe)\b")
    yield CodeList("blood group", ("0", "A", "AB", "B"), "ISBT system ABO, O written as 0", r"\b(abo|blood ?(group|type)|blutgruppe)\b")
    rhesus = tuple(g + s for g in ("A", "AB", "B", "O") for s in "+-")
    yield CodeList("blood group", rhesus, "ISBT systems ABO and RH", r"\b(abo|blood ?(group|type)|blutgruppe)\b", speaks=4)
    yield CodeList("race", RACES, "US OMB Directive 15; CDISC codelist RACE", r"\brace\b", speaks=3)
    yield CodeList("race", (*RACES, "MULTIPLE", "NOT REPORTED", "OTHER", "UNKNOWN"), "US OMB Directive 15; CDISC codelist RACE", r"\brace\b", speaks=4)
    yield CodeList(
        "ethnicity", ("HISPANIC OR LATINO", "NOT HISPANIC OR LATINO"), "CDISC codelist ETHNIC, which also knows NOT REPORTED and UNKNOWN", r"\bethnic", speaks=2
    )
    yield CodeList("ethnicity", ("HISPANIC OR LATINO", "NOT HISPANIC OR LATINO", "NOT REPORTED", "UNKNOWN"), "CDISC codelist ETHNIC", r"\bethnic", speaks=3)
    marital = r"\b(marital|marstat|civil status|familienstand|zivilstand)\b"
    yield CodeList(
        "marital status", ("divorced", "married", "separated", "single", "widowed"), "United Nations, recommendations for censuses", marital, speaks=4
    )
    yield CodeList("marital status", ("geschieden", "ledig", "verheiratet", "verwitwet"), "German civil status law", marital, speaks=3)


def _answers() -> Iterator[CodeList]:
    yield CodeList("yes or no", (False, True), "the type: a truth value is one of two", speaks=1)
    yield CodeList("yes or no", ("no", "yes"), "HL7 table 0136", speaks=2)
    yield CodeList("yes or no", ("N", "Y"), "HL7 table 0136; CDISC codelist NY, which also knows NA and U", FLAG, speaks=2)
    yield CodeList("yes or no", ("N", "NA", "U", "Y"), "CDISC codelist NY", FLAG, speaks=3)
    yield CodeList("yes or no", ("ja", "nein"), "the two words themselves", speaks=2)
    yield CodeList("yes or no", ("non", "oui"), "the two words themselves", speaks=2)
    yield CodeList("true or false", ("F", "T"), "first letters of true and false", speaks=2)
    yield CodeList("true or false", ("false", "true"), "the two words themselves", speaks=2)
    yield CodeList("a flag", (0, 1), "no standard: only a code book can say that 0 and 1 are all", speaks=2, weak=True)
    yield CodeList("test result", ("negative", "positive"), "HL7 observation interpretation", speaks=2)
    yield CodeList("test result", ("neg", "pos"), "HL7 observation interpretation", speaks=2)
    yield CodeList("side", ("left", "right"), "CDISC codelist LAT, which also knows bilateral and others", speaks=2)
    yield CodeList("side", ("bilateral", "left", "right"), "CDISC codelist LAT, which also knows others", speaks=3)
    smoking = r"\b(smok\w*|tobacco|cig\w*|rauch\w*|suncf)\b"
    yield CodeList("smoking status", ("never", "former", "current"), "CDISC codelist NCF", smoking)
    yield CodeList("smoking status", ("never", "former", "current", "unknown"), "CDISC codelist NCF, and unknown", smoking)
    yield CodeList("smoking status", ("never smoker", "former smoker", "current smoker"), "US core smoking status", smoking, speaks=3)


def _times() -> Iterator[CodeList]:
    calendar = "the calendar"
    yield CodeList("month", tuple(range(1, 13)), "ISO 8601", r"^(\w+ )?(month|monat|mois)$|^month ", ordered=True)
    english = _split("January February March April May June July August September October November December")
    german = _split("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
    for names in (english, german, tuple(n[:3] for n in english), tuple(n[:3] for n in german)):
        yield CodeList("month", names, calendar, r"\b(month|monat)\b", ordered=True, speaks=6)
    weekday = r"\b(weekday|dow|day of week|wochentag)\b"
    days = _split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
    for names in (days, tuple(n[:3] for n in days), _split("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"), _split("Mo Di Mi Do Fr Sa So")):
        yield CodeList("weekday", names, calendar, weekday, ordered=True, speaks=4)
    yield CodeList("weekday", tuple(range(1, 8)), "ISO 8601: 1 is Monday", weekday, ordered=True)
    yield CodeList("weekday", tuple(range(7)), calendar, weekday, ordered=True)


def _codes() -> Iterator[CodeList]:
    icd = r"\bicd(10)?\b.*\bchapters?\b|\bchapters?\b.*\bicd"
    yield CodeList("ICD-10 chapter", ROMAN, "WHO, ICD-10", icd)
    yield CodeList("ICD-10 chapter", tuple(range(1, 23)), "WHO, ICD-10", icd)
    yield CodeList("ICD-10 chapter", _split(ICD_CHAPTERS), "WHO, ICD-10", icd, speaks=3)
    yield CodeList("ICD-10 letter", tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "WHO, ICD-10: the first letter of a code", r"\bicd(10)?\b")
    yield CodeList("ATC main group", tuple(ATC_GROUPS), "WHO Collaborating Centre for Drug Statistics Methodology", r"\batc\d?\b")
    groups = tuple(letter + number for letter, numbers in ATC_GROUPS.items() for number in numbers.split())
    yield CodeList("ATC therapeutic subgroup", groups, "WHO Collaborating Centre for Drug Statistics Methodology", r"\batc\d?\b")
    yield CodeList("country", _split(ALPHA_2), "ISO 3166-1 alpha-2", COUNTRY)
    yield CodeList("country", _split(ALPHA_3), "ISO 3166-1 alpha-3", COUNTRY)


def _scales() -> Iterator[CodeList]:
    def grades(name: str, levels: tuple[Level, ...], source: str, called: str) -> CodeList:
        return CodeList(name, levels, source, called, ordered=True)

    yield grades("ECOG performance status", tuple(range(6)), "Oken and others 1982", r"\b(ecog|ecogps|who ps|performance status)\b")
    yield grades("Karnofsky index", tuple(range(0, 101, 10)), "Karnofsky and Burchenal 1949", r"\b(karnof\w*|karno|kps)\b")
    yield grades("NYHA class", (1, 2, 3, 4), "New York Heart Association", r"\bnyha\b")
    yield grades("NYHA class", ROMAN[:4], "New York Heart Association", r"\bnyha\b")
    yield grades("ASA class", (1, 2, 3, 4, 5, 6), "American Society of Anesthesiologists", r"\basa( (class|score|ps|status|grade))?$")
    yield grades("ASA class", ROMAN[:6], "American Society of Anesthesiologists", r"\basa( (class|score|ps|status|grade))?$")
    yield grades("Mallampati class", (1, 2, 3, 4), "Samsoon and Young 1987", r"\bmallampati\b")
    yield grades("Mallampati class", ROMAN[:4], "Samsoon and Young 1987", r"\bmallampati\b")
    yield grades("Killip class", (1, 2, 3, 4), "Killip and Kimball 1967", r"\bkillip\b")
    yield grades("Killip class", ROMAN[:4], "Killip and Kimball 1967", r"\bkillip\b")
    yield grades("modified Rankin scale", tuple(range(7)), "van Swieten and others 1988", r"\b(mrs|rankin)\b")
    yield grades("Glasgow coma scale", tuple(range(3, 16)), "Teasdale and Jennett 1974", r"^(\w+ )?(gcs|glasgow coma (scale|score))( (total|score))?$")
    yield grades("Apgar score", tuple(range(11)), "Apgar 1953", r"\bapgar\b")
    yield grades("Child-Pugh class", ("A", "B", "C"), "Pugh and others 1973", r"\bchild ?(pugh)?\b|\bpugh\b")
    yield grades("education", tuple(range(9)), "UNESCO ISCED 2011", r"\bisced\b")


def _tumours() -> Iterator[CodeList]:
    def part(letter: str) -> str:
        return rf"^(tnm )?(c|p|yp|clinical |pathologic(al)? )?{letter}( ?(stage|stadium|status|category|class))?$"

    yield CodeList("tumour, T", ("TX", "T0", "Tis", "T1", "T2", "T3", "T4"), "UICC, TNM", part("t"), ordered=True)
    yield CodeList("tumour, N", ("NX", "N0", "N1", "N2", "N3"), "UICC, TNM", part("n"), ordered=True)
    yield CodeList("tumour, M", ("M0", "M1"), "UICC, TNM", part("m"), ordered=True)
    yield CodeList("tumour, M", ("MX", "M0", "M1"), "UICC, TNM", part("m"), ordered=True)
    yield CodeList("tumour stage", ROMAN[:4], "UICC, TNM", r"\b(stage|stadium|figo|uicc|ajcc)\b", ordered=True)
    yield CodeList("tumour stage", ("0", *ROMAN[:4]), "UICC, TNM", r"\b(stage|stadium|uicc|ajcc)\b", ordered=True)
    yield CodeList("tumour grade", ("G1", "G2", "G3", "G4"), "UICC, TNM", r"\b(grade|grading|differentiation)\b", ordered=True, speaks=3)
    yield CodeList("tumour grade", ("GX", "G1", "G2", "G3", "G4"), "UICC, TNM", r"\b(grade|grading|differentiation)\b", ordered=True, speaks=4)
    yield CodeList("adverse event grade", (1, 2, 3, 4, 5), "US National Cancer Institute, CTCAE", r"\b(ctcae|ctc grade|aetoxgr)\b", ordered=True)


def _trials() -> Iterator[CodeList]:
    yield CodeList("severity", ("MILD", "MODERATE", "SEVERE"), "CDISC codelist AESEV", r"\b(severity|aesev|asev)\b", ordered=True, speaks=3)
    yield CodeList("outcome of an adverse event", ENDINGS, "CDISC codelist OUT", r"\baeout\b", speaks=3)
    yield CodeList("unit of age", ("DAYS", "HOURS", "MONTHS", "WEEKS", "YEARS"), "CDISC codelist AGEU", r"^ageu$")
    yield CodeList("reference range", ("ABNORMAL", "HIGH", "HIGH HIGH", "LOW", "LOW LOW", "NORMAL"), "CDISC codelist NRIND", r"nrind$")


def _ages() -> Iterator[CodeList]:
    """Bands of ten and five years, open at the end from 70, 80 ... on, in the usual spellings."""
    source = "bands of {} years"
    for last in (70, 80, 90, 100):
        closed = tuple(f"{a}-{a + 9}" for a in range(0, last, 10))
        for end in (f"{last}+", f">={last}"):
            yield CodeList("age band", (*closed, end), source.format("ten"), AGE, ordered=True)
    yield CodeList("age band", tuple(f"{a}-{a + 9}" for a in range(0, 110, 10)), source.format("ten"), AGE, ordered=True)
    yield CodeList("age band", tuple(f"[{a}-{a + 10})" for a in range(0, 100, 10)), source.format("ten"), AGE, ordered=True)
    for last in (75, 80, 85, 90, 100):
        yield CodeList("age band", (*(f"{a}-{a + 4}" for a in range(0, last, 5)), f"{last}+"), source.format("five"), AGE, ordered=True)
