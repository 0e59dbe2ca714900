"""What people write where a number or a date is not there, in several languages. Among texts each of these is an ordinary level."""

from __future__ import annotations

SIGNS = frozenset(
    {"na", "n/a", "n.a.", "n. a.", "nan", "?", ".", "-", "--", "null", "none", "<na>", "#n/a", "#na", "#value!", "#div/0!", "#ref!", "#num!", "inf", "-inf"}
)
WORDS = """
missing|unknown|unk|not known|not done|not available|not recorded|not applicable|not measured|not assessed|not tested|no data|nd|n.d.|n. d.|n/d|nk|n.k.
k.a.|k. a.|k.a|k.A|keine angabe|keine angaben|unbekannt|nicht bekannt|nicht erhoben|nicht gemessen|nicht durchgeführt|nicht verfügbar|nicht vorhanden|fehlt|fehlend|entfällt
n.e.|n. e.|n.b.|n.v.|inconnu|inconnue|manquant|manquante|non renseigné|non renseignée|non disponible|non fait|non connu|nsp
desconocido|desconocida|sin dato|sin datos|no disponible|no consta|no realizado|faltante|s/d|sconosciuto|mancante|non noto|non disponibile
onbekend|ontbreekt|desconhecido|sem dados|okänd|ukjent|ukendt
"""
TOKENS = SIGNS | frozenset(word.strip().lower() for line in WORDS.split("\n") for word in line.split("|") if word.strip())
