"""Imports point down, form no cycle, and stay light; every line of every table loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from twinset.audit.endpoints import ENDPOINTS
from twinset.audit.fidelity import FIDELITY
from twinset.audit.privacy import ATTACKS, PRIVACY
from twinset.core.registry import Registry
from twinset.generators import GENERATORS

from .source import ROOT, external, imports, modules

# the higher may import the lower; rooms on one floor do not import each other
FLOORS = (
    ("errors",),
    ("core",),
    ("coding",),
    ("rules", "io"),
    ("dp",),
    ("generators", "audit"),
    ("report",),
    ("release",),
    ("checking", "checks"),
    ("study",),
    ("door", "rows"),
    ("table",),
    ("private", "facts"),
    ("planning", "refitting"),
    ("draft", "pipeline"),
    ("asking", "examine", "inference", "sweeping", "synthesis"),
    ("api", "demo", "neighbouring"),
    ("",),  # the package itself
    ("cli", "web"),
)
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
TABLES = (GENERATORS, FIDELITY, ENDPOINTS, PRIVACY, ATTACKS)
HEAVY = ("torch", "sklearn", "lifelines", "pandas", "scipy.stats", "numba", "pyarrow", "matplotlib", "duckdb", "statsmodels", "opendp")


def room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_every_module_has_a_floor() -> None:
    assert {room(m) for m in modules()} <= set(FLOOR)


def test_imports_point_down() -> None:
    wrong = [f"{m} imports {t}" for m in modules() for t in imports(m) if m != "twinset" and room(m) != room(t) and FLOOR[room(t)] >= FLOOR[room(m)]]
    assert not wrong, "\n".join(wrong)


def test_no_cycles_even_lazy_ones() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return
        for target in sorted(imports(name)):
            visit(target, (*path, name))
        done.add(name)

    for name in modules():
        if name != "twinset":
            visit(name, ())


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.kind)
def test_every_line_loads(table: Registry) -> None:
    for name in table.table:
        assert callable(table[name]), name


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.kind)
def test_every_plug_in_is_documented(table: Registry) -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md")))
    missing = [n for n in table.table if f"`{n}`" not in text]
    assert not missing, f"{table.kind}: say what they are in docs/plugins.md: {missing}"


@pytest.mark.parametrize(
    "code",
    [
        "import twinset",
        "import sys; sys.argv = ['twinset', '--help']; from twinset.cli.app import main; main()",
        "from twinset.generators import GENERATORS; list(GENERATORS)",
    ],
    ids=["import", "help", "table"],
)
def test_light(code: str) -> None:
    """The heavy libraries are not imported before they are needed."""
    after = f"import atexit, sys\natexit.register(lambda: sys.stderr.write('LOADED ' + ' '.join(m for m in {HEAVY!r} if m in sys.modules)))\n{code}"
    done = subprocess.run([sys.executable, "-c", after], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = done.stderr.rpartition("LOADED")[2].split()
    assert not loaded


def test_noise_is_drawn_in_one_place() -> None:
    users = [m for m, path in modules().items() if "opendp" in external(path)]
    assert users == ["twinset.dp.noise"]
    callers = [m for m in modules() if "twinset.dp.noise" in imports(m)]
    assert callers == ["twinset.dp.vault"]


def test_the_core_does_without_arrow() -> None:
    users = [m for m, path in modules().items() if external(path) & {"pyarrow", "torch", "sdv", "anonymeter", "sksurv"}]
    assert all(m.startswith("twinset.io.") for m in users), users
