"""The ways that a table goes: the whole public command, or only as far as the vault's first answers."""

from __future__ import annotations

import io
import json
import math
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twinset import door, pipeline, private
from twinset.audit.run import CRASHES as FORESEEN
from twinset.core.cohort import Cohort
from twinset.dp import seam
from twinset.dp.ledger import Ledger
from twinset.dp.register_file import apart
from twinset.dp.vault import Vault
from twinset.errors import TwinsetError
from twinset.neighbouring.replay import Draw, Recorder, Replayer
from twinset.study import Study, load

Command = Callable[[Sequence[str]], int]  # the public command line, in this process; gives the exit code
CRASHES = (*FORESEEN, OSError)  # a test on rows may raise the first; files the last
ENDS = ("answered", "released", "kept in refused", "ended in an error", "crashed", "ended differently")  # of pairs; "answered": on the short way
LEAVING = ("release", "custodian/refused")  # what leaves, and what may be judged fit to leave though a limit refused it
SHARE = 0.1  # of the budget for finding what is not declared, on the short way


@dataclass(frozen=True, repr=False)
class Side:
    """Train or hold-out as it is counted: every row as text, with its patient; and how the columns are stored."""

    rows: Counter[tuple[str, str]]
    dtypes: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Left:
    """All that left a run, and what its vault was asked.

    ``told``: by name, what an onlooker sees: files of ``release/`` (or of ``custodian/refused``), stdout, stderr, exit code. ``events``: what was billed, ``None`` where it is not known.
    ``sides``: only of the short way.
    """

    told: Mapping[str, bytes]
    draws: Sequence[Draw]
    events: Sequence[Mapping[str, Any]] | None
    sides: Mapping[str, Side] = field(default_factory=dict)
    diverged: bool = False
    crashed: str = ""

    @property
    def ending(self) -> str:
        """How the run ended, one of ``ENDS``. "kept in refused": a limit of the policy; all else that is not released is an error, also a no before the first look."""
        if self.crashed:
            return "crashed"
        if "exit code" not in self.told:
            return "ended in an error" if "error" in self.told else "answered"
        if self.told["exit code"] == b"0":
            return "released"
        return "kept in refused" if any(name.startswith("refused/") for name in self.told) else "ended in an error"

    @property
    def refused(self) -> bool:
        """Whether the run ended with an error."""
        return "error" in self.told or self.told.get("exit code", b"0") not in (b"0",)


def whole(study: Path, noise: Recorder | Replayer, command: Command) -> Left:
    """``twinset release`` on a study file, as anybody runs it: what it wrote into ``release/``, what it printed, how it ended."""
    out, config = study.parent / "out", study.parent / "config"
    for folder in (out, config):
        shutil.rmtree(folder, ignore_errors=True)
    for old in study.parent.glob("*.jsonl*"):
        old.unlink()
    stdout, stderr = io.StringIO(), io.StringIO()
    code, crashed = -1, ""
    with seam.replaced(noise), apart(config), redirect_stdout(stdout), redirect_stderr(stderr), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            code = command(["release", str(study), "-o", str(out)])
        except CRASHES as error:
            crashed = type(error).__name__
    told = {"exit code": str(code).encode(), "stdout": stdout.getvalue().encode(), "stderr": stderr.getvalue().encode()}
    if crashed:
        told["crash"] = crashed.encode()
    told |= {
        f"{folder.rpartition('/')[2]}/{p.relative_to(out / folder).as_posix()}": _settled(p.name, p.read_bytes())
        for folder in LEAVING
        for p in sorted((out / folder).rglob("*"))
        if p.is_file()
    }
    return Left(told, noise.draws, _events(out), diverged=_diverged(noise), crashed=crashed)


def front(study: Path, noise: Recorder | Replayer, command: Command | None = None) -> Left:
    """The short way: file, reading, sides, rows kept, cells, and one answer of each kind from the vault. Some forty times faster.

    It asks in the generator's place, so it tells nothing of the generator.
    """
    ledger, sides, told, crashed = Ledger(), {}, {}, ""
    with seam.replaced(noise), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = load(study)
            sides = _ask(loaded, ledger)
        except TwinsetError as error:
            told["error"] = str(error).encode()
        except CRASHES as error:
            told["crash"] = (crashed := type(error).__name__).encode()
    events = [{"name": e.name, "mechanism": e.mechanism, "noise": e.noise, "sensitivity": e.sensitivity, "rho": e.rho} for e in ledger.events]
    return Left(told, noise.draws, events, sides, _diverged(noise), crashed)


def _ask(study: Study, ledger: Ledger) -> dict[str, Side]:
    """Bills and draws as a generator would; gives both sides of the table."""
    terms = private.demand(study)
    assert terms is not None
    train, holdout = private.halves(study, door.read(study)[0], terms)
    rules = pipeline.declared_rules(study, train)
    sides = {"train": _side(train), "hold-out": _side(holdout)}
    allowed = private.allowance(terms, train, study.data.per_patient)
    vault = Vault(door.in_place(study)[0], ledger, allowed, rules=rules) if study.data.in_place else private.guarded(train, ledger, allowed, rules)
    domain = vault.discretise(rho=SHARE * allowed.rho)
    names = [(n,) for n in domain.names] + ([tuple(domain.names[:2])] if len(domain) > 1 else [])
    sigma = vault.sensitivity * math.sqrt((len(names) + 1) / allowed.rho)
    made = [vault.marginal(n, sigma=sigma).counts.ravel() for n in ((), *names)][1:]
    vault.choose(
        names,
        np.concatenate(made).astype(np.float64),
        weights=np.ones(len(names)),
        penalties=np.zeros(len(names)),
        allowed=np.ones(len(names), dtype=bool),
        epsilon=math.sqrt(SHARE * allowed.rho),
    )
    return sides


def _side(cohort: Cohort) -> Side:
    frame, unit = cohort.frame, cohort.schema.unit
    names = [repr(v) for v in frame[unit].to_list()] if unit else [""] * frame.height
    kept = frame.select(cohort.schema.synthesised.names)
    return Side(Counter(zip(names, map(repr, kept.rows()), strict=True)), tuple(str(t) for t in kept.dtypes))


def _diverged(noise: Recorder | Replayer) -> bool:
    """Whether the questions were not those of the other table."""
    if isinstance(noise, Recorder):
        return False
    asked, told = noise.draws, noise.told
    return len(asked) != len(told) or any(a.question != b.question for a, b in zip(asked, told, strict=True))


def _settled(name: str, content: bytes) -> bytes:
    """A file without what is chance or time alone: the ledger's head in the certificate, and the sums that depend on it."""
    if name == "certificate.json":
        told = json.loads(content)
        told.pop("ledger_head", None)
        return json.dumps(told, indent=1).encode()
    if name == "SHA256SUMS":
        return b"\n".join(line for line in content.split(b"\n") if b"certificate.json" not in line)
    return content


def _events(out: Path) -> Sequence[Mapping[str, Any]] | None:
    """What was billed, from the certificate; of a run that released nothing, from the custodian's ledger."""
    for path in (*(out / folder / "certificate.json" for folder in LEAVING), out / "custodian" / "ledger.json"):
        if path.exists():
            events: Sequence[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["events"]
            return events
    return None
