"""Times and events that belong together, by their names in four languages, and the level that means the event."""

from __future__ import annotations

import polars as pl
import pytest

from twinset.core.schema import Column, Level
from twinset.io.roles import reference, with_roles
from twinset.io.survival import event_level, survival_pairs


def columns(text: str) -> list[Column]:
    """``#name`` is a number that is not negative, ``name`` a column of 0 and 1."""
    return [Column(n[1:], "integer", low=0, high=99) if n.startswith("#") else Column(n, "category", levels=(0, 1)) for n in text.split()]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("#rtime recur #dtime death", "rtime/recur dtime/death"),
        ("#time.to.cmv cmv #time.to.agvhd agvhd #time.to.transplant prior.transplant", "time.to.cmv/cmv time.to.agvhd/agvhd"),
        ("#ptime pstat #futime death", "ptime/pstat futime/death"),
        ("#start #stop event", "stop/event"),
        ("#OS_MONTHS OS_STATUS #DFS_MONTHS DFS_STATUS", "OS_MONTHS/OS_STATUS DFS_MONTHS/DFS_STATUS"),
        ("#OS Death #RFS Recurrence", "OS/Death RFS/Recurrence"),
        ("#OS.time OS #PFI.time PFI", "OS.time/OS PFI.time/PFI"),
        ("#TIMEDTH DEATH #TIMECVD CVD", "TIMEDTH/DEATH TIMECVD/CVD"),
        ("#t1 d1 #t2 d2", "t1/d1 t2/d2"),
        ("#T E", "T/E"),
        ("#rectime censrec #survtime censdead", "rectime/censrec survtime/censdead"),
        ("#TIME0 #TIME1 CENSOR EVENT", "TIME1/EVENT"),  # one interval has one event
        ("#AVAL CNSR", "AVAL/CNSR"),
        ("#follow_up dead", "follow_up/dead"),
        ("#time_to_death died #time_to_relapse relapsed", "time_to_death/died time_to_relapse/relapsed"),
        ("#Zeit Ereignis", "Zeit/Ereignis"),
        ("#Ueberlebenszeit_Monate verstorben", "Ueberlebenszeit_Monate/verstorben"),
        ("#Zeit_bis_Rezidiv Rezidiv #Beobachtungsdauer Vitalstatus", "Zeit_bis_Rezidiv/Rezidiv Beobachtungsdauer/Vitalstatus"),
        ("#duree_suivi_mois statut_vital", "duree_suivi_mois/statut_vital"),
        ("#temps_décès décès", "temps_décès/décès"),
        ("#meses_hasta_muerte muerte #seguimiento_meses evento", "meses_hasta_muerte/muerte seguimiento_meses/evento"),
        ("#age #days treated", "days/treated"),  # nothing else is found: the yes or no right beside a time
    ],
)
def test_pairs(names: str, expected: str) -> None:
    assert {f"{p.time}/{p.event}" for p in survival_pairs(columns(names))} == set(expected.split())


@pytest.mark.parametrize(
    "names",
    [
        "#protime status",  # a blood test
        "#diagtime dead",  # before the study began
        "#time smoking_status",
        "#length_of_stay death",
        "#days_in_hospital death",
        "#gestational_weeks death",
        "#time sex",
        "#total death",
        "#age death",
    ],
)
def test_what_is_no_pair(names: str) -> None:
    made = {c.name: c.role for c in with_roles(columns(names))}
    assert "time" not in made.values()
    assert "event" not in made.values()


@pytest.mark.parametrize(
    ("name", "levels", "cells", "expected"),
    [
        ("death", (0, 1), [0, 1, 1, 0], 1),
        ("status", (1, 2), [1, 2, 1, 2], 2),
        ("status", (0, 1, 2), [0, 1, 2, 2], 2),  # the commoner of two kinds of event
        ("status", (0, 1, 2, 3), [1, 1, 2, 3], 1),
        ("status", (1, 2, 3), [1, 2, 2, 3], 1),  # without a 0: not that of the longest times
        ("CNSR", (0, 1), [0, 1, 0, 1], 0),
        ("alive", (0, 1), [0, 1, 0, 1], 0),
        ("cens", (0, 1), [0, 1, 1, 0], 0),  # censored or seen? the level of the shorter times
        ("cens", (0, 1), [1, 0, 0, 1], 1),
        ("status", ("Alive", "Dead"), ["Alive", "Dead", "Dead", "Alive"], "Dead"),
        ("OS_STATUS", ("0:LIVING", "1:DECEASED"), ["0:LIVING", "1:DECEASED"] * 2, "1:DECEASED"),
        ("Class", ("no-recurrence-events", "recurrence-events"), ["recurrence-events"] * 4, "recurrence-events"),
        ("verstorben", ("ja", "nein"), ["ja", "nein"] * 2, "ja"),
        ("décès", ("non", "oui"), ["non", "oui"] * 2, "oui"),
        ("fallecido", ("no", "sí"), ["no", "sí"] * 2, "sí"),
        ("event", (False, True), [True, False] * 2, True),
    ],
)
def test_the_level_of_the_event(name: str, levels: tuple[Level, ...], cells: list[Level], expected: Level) -> None:
    time = pl.Series([10.0, 100.0, 100.0, 20.0])
    assert event_level(Column(name, "category", levels=levels), pl.Series(cells), time) == expected


def test_arms_and_their_reference_in_four_languages() -> None:
    for name, levels, expected in [
        ("Behandlung", ("Plazebo", "Verum"), "Plazebo"),
        ("traitement", ("actif", "témoin"), "témoin"),
        ("tratamiento", ("control", "nuevo"), "control"),
        ("rx", ("Lev", "Obs"), "Obs"),
        ("horTh", ("no", "yes"), "no"),
    ]:
        made = with_roles([Column("x", "number"), Column(name, "category", levels=levels)])[1]
        assert made.role == "arm"
        assert reference(made) == expected
    two = with_roles([Column("chemo", "category", levels=(0, 1)), Column("hormon", "category", levels=(0, 1))])
    assert [c.role for c in two] == ["", "outcome"]  # two therapies side by side: neither is known to be the arm
