"""The ledger file: reserved before the first look, chained, of one data set; nothing is spent twice and nothing is forgotten."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from twinset.dp import events, ledger_file
from twinset.dp.accountant import epsilon, rho_of
from twinset.dp.ledger import Allowance, Ledger
from twinset.dp.ledger_file import Budget
from twinset.dp.whereabouts import beside
from twinset.errors import BadInput, BudgetExhausted

DELTA = 1e-9
BUDGET = Budget("row", "add-remove", 5.0, DELTA)


def allowance(asked: float, delta: float = 0.0) -> Allowance:
    return Allowance(rho_of(asked, DELTA - delta), delta)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text("age,sex\n31,f\n62,m\n")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "patients.csv.ledger.jsonl"


def reserve(path: Path, table: Path, asked: float, budget: Budget = BUDGET) -> int:
    return ledger_file.reserve(path, budget, allowance(asked), table=table, generator="aim", asked=asked)


def spend(rho: float) -> tuple[events.Event, ...]:
    return (events.gaussian("age", sigma=1 / math.sqrt(2 * rho), sensitivity=1.0),)


def test_a_run_reserves_settles_and_the_rest_is_free_again(path: Path, table: Path) -> None:
    number = reserve(path, table, 5.0)
    assert ledger_file.read(path).epsilon() == pytest.approx(5.0)
    book = ledger_file.settle(path, number, spend(0.01))
    assert book.rho == pytest.approx(0.01)
    assert book.runs[0].settled
    assert book.epsilon() == pytest.approx(epsilon(0.01, DELTA))
    assert book.left_rho == pytest.approx(rho_of(5.0, DELTA) - 0.01)
    assert reserve(path, table, math.floor(book.left * 1000) / 1000) == 2


def test_a_spent_budget_refuses_with_what_is_left(path: Path, table: Path) -> None:
    ledger_file.settle(path, reserve(path, table, 4.0), spend(rho_of(4.0, DELTA)))
    before = path.read_bytes()
    with pytest.raises(BudgetExhausted, match=r"epsilon = 4 .*leaves one run epsilon = 2\.\d+") as caught:
        reserve(path, table, 4.0)
    assert caught.value.exit_code == 3
    assert "privacy.epsilon" in caught.value.hint
    assert path.read_bytes() == before


def test_a_crash_leaves_the_reservation_spent(path: Path, table: Path) -> None:
    reserve(path, table, 5.0)  # and never settles
    with pytest.raises(BudgetExhausted):
        reserve(path, table, 0.1)


def test_a_first_run_beyond_its_own_budget_writes_nothing(path: Path, table: Path) -> None:
    with pytest.raises(BudgetExhausted):
        reserve(path, table, 6.0)
    assert [p.name for p in table.parent.iterdir()] == [table.name]


def test_without_a_declared_budget_the_first_run_sets_it(path: Path, table: Path) -> None:
    loose = Budget("row", "add-remove", None, DELTA)
    reserve(path, table, 2.0, loose)
    assert ledger_file.read(path).total == 2.0
    with pytest.raises(BudgetExhausted):
        reserve(path, table, 1.0, loose)


def test_thresholds_take_from_delta(path: Path, table: Path) -> None:
    mine = allowance(2.0, DELTA / 10)
    for _ in range(2):
        ledger_file.reserve(path, BUDGET, mine, table=table, generator="aim", asked=2.0)
    book = ledger_file.read(path)
    assert book.delta == pytest.approx(DELTA / 5)
    assert book.epsilon() == pytest.approx(epsilon(2 * mine.rho, 0.8 * DELTA))


def test_a_run_settles_once_and_within_its_reservation(path: Path, table: Path) -> None:
    number = reserve(path, table, 1.0)
    with pytest.raises(BudgetExhausted, match="more than it had reserved"):
        ledger_file.settle(path, number, spend(1.0))
    ledger_file.settle(path, number, spend(0.001))
    with pytest.raises(BadInput, match="no open reservation"):
        ledger_file.settle(path, number, spend(0.001))


@pytest.mark.parametrize(
    "other",
    [
        Budget("patient", "add-remove", 5.0, DELTA),
        Budget("row", "replace", 5.0, DELTA),
        Budget("row", "add-remove", 6.0, DELTA),
        Budget("row", "add-remove", 5.0, 1e-6),
    ],
)
def test_other_terms_are_refused(path: Path, table: Path, other: Budget) -> None:
    reserve(path, table, 1.0)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="disagree"):
        reserve(path, table, 1.0, other)
    assert path.read_bytes() == before


def test_another_data_set_is_refused(path: Path, table: Path) -> None:
    reserve(path, table, 1.0)
    table.write_text(table.read_text() + "44,f\n")
    with pytest.raises(BadInput, match="another data set"):
        reserve(path, table, 1.0)


def test_a_reveal_is_recorded_as_infinite(path: Path, table: Path) -> None:
    reserve(path, table, 1.0)
    ledger_file.revealed(path, table=table, generator="trees", why="trees: all rows")
    book = ledger_file.read(path)
    assert (book.reveals, math.isinf(book.runs[-1].rho), math.isfinite(book.rho)) == (1, True, True)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


CORRUPTIONS = {
    "a figure changed": lambda lines: [lines[0], lines[1].replace(b'"rho": 0.0', b'"rho": 0.1'), *lines[2:]],
    "a figure of the last line changed": lambda lines: [*lines[:-1], lines[-1].replace(b'"rho": 0.01', b'"rho": 0.001')],
    "the budget raised": lambda lines: [lines[0].replace(b'"epsilon": 5.0', b'"epsilon": 50.0'), *lines[1:]],
    "a line left out": lambda lines: [lines[0], *lines[2:]],
    "two lines exchanged": lambda lines: [lines[0], lines[2], lines[1]],
    "cut in a line": lambda lines: [*lines[:-1], lines[-1][:-20]],
    "empty": lambda lines: [],
    "not JSON": lambda lines: [*lines, b"spent nothing, honestly\n"],
    "not an object": lambda lines: [*lines, b"[]\n"],
    "not text": lambda lines: [b"\xff\xfe\x00\n", *lines],
}


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_a_corrupted_ledger_is_found_and_left_as_it_is(path: Path, table: Path, how: str) -> None:
    ledger_file.settle(path, reserve(path, table, 1.0), spend(0.01))
    broken = b"".join(CORRUPTIONS[how](lines_of(path)))
    assert broken != path.read_bytes()
    path.write_bytes(broken)
    with pytest.raises(BadInput, match="corrupted"):
        ledger_file.read(path)
    with pytest.raises(BadInput, match="corrupted"):
        reserve(path, table, 0.1)
    assert path.read_bytes() == broken


def test_a_forged_event_with_a_new_chain_is_still_found(path: Path, table: Path) -> None:
    """Someone who recomputes the hashes must also make every sum right: here an event's price does not follow from its noise."""
    ledger_file.settle(path, reserve(path, table, 1.0), spend(0.01))
    lines = lines_of(path)
    last = json.loads(lines[-1])
    last["events"][0]["noise"] *= 2
    del last["hash"]
    body = json.dumps(last, ensure_ascii=False).encode()[:-1]
    lines[-1] = body + b', "hash": "' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(BadInput, match="does not say what it must"):
        ledger_file.read(path)


def test_no_cell_value_and_no_bare_fingerprint_stand_in_it(path: Path, table: Path) -> None:
    reserve(path, table, 1.0)
    text = path.read_text()
    assert hashlib.sha256(table.read_bytes()).hexdigest() not in text
    assert str(table.parent) not in text


def test_the_first_look_reserves_and_a_refusal_answers_nothing(path: Path, table: Path) -> None:
    reserve(path, table, 5.0)
    ledger = Ledger(first=lambda: reserve(path, table, 1.0) and None)
    with pytest.raises(BudgetExhausted):
        ledger.bill(events.gaussian("age", sigma=10.0, sensitivity=1.0))
    assert ledger.events == ()


RACER = """
import sys
from pathlib import Path
from twinset.dp import events, ledger_file
from twinset.dp.accountant import rho_of
from twinset.dp.ledger import Allowance
from twinset.errors import BudgetExhausted
path, table = Path(sys.argv[1]), Path(sys.argv[2])
rho = rho_of(1.0, 1e-9)
sys.stdin.readline()
won = 0
while True:
    try:
        terms = ledger_file.Budget("row", "add-remove", 5.0, 1e-9)
        number = ledger_file.reserve(path, terms, Allowance(rho), table=table, generator="aim", asked=1.0)
    except BudgetExhausted:
        break
    ledger_file.settle(path, number, [events.gaussian("age", sigma=(0.5 / rho) ** 0.5, sensitivity=1.0)])
    won += 1
print(won)
"""


def test_concurrent_runs_do_not_spend_twice(path: Path, table: Path) -> None:
    """Four processes begin the same ledger at once and take epsilon = 1 each until they are refused."""
    racers = [subprocess.Popen([sys.executable, "-c", RACER, path, table], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for r in racers:
        assert r.stdin
        r.stdin.write("go\n")
        r.stdin.flush()
    won = sum(int(r.communicate(timeout=60)[0]) for r in racers)
    book = ledger_file.read(path)
    assert won == len(book.runs) == int(rho_of(5.0, DELTA) / rho_of(1.0, DELTA))
    assert book.epsilon() <= 5.0
    assert all(r.settled for r in book.runs)
    assert len(list(path.parent.iterdir())) == 2


def test_a_file_that_is_no_ledger_says_so_and_names_the_tables_own(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("age\n17\n")
    with pytest.raises(BadInput, match="not a ledger") as caught:
        ledger_file.read(table)
    assert "corrupted" not in str(caught.value)
    assert "has none" in caught.value.hint
    own = beside(table)
    own.write_text("")
    with pytest.raises(BadInput) as caught:
        ledger_file.read(table)
    assert own.name in caught.value.hint
    with pytest.raises(BadInput, match="corrupted"):
        ledger_file.read(own)
    copy = tmp_path / "spent.jsonl"  # a ledger under a name of its own that lost its end
    own.unlink()
    reserve(own, table, 1.0)
    copy.write_bytes(own.read_bytes()[:-20])
    with pytest.raises(BadInput, match="corrupted"):
        ledger_file.read(copy)
