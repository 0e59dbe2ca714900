"""A Bayesian network: each column given a few others, as a tree of tables. Private where the run has a budget, ordinary where it has none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from pydantic import Field

from twinset.core.contracts import Model, Source
from twinset.core.seeds import Rng
from twinset.generators.bayesian_network.ordinary import Learning, learn
from twinset.generators.bayesian_network.private import Structure, network
from twinset.generators.marginals import fit_marginals
from twinset.generators.marginals.settings import Cells, Columns, Count, Share, ShareOrNone, Strength, Sweeps, Weight, check

Degree = Annotated[int, Field(ge=1, le=10)]
Positive = Annotated[float, Field(gt=0, le=1e6)]


@dataclass(frozen=True)
class BayesianNetwork:
    """Columns given one or two parents (private) or up to ``max_parents`` (ordinary), each family a table of counts.

    With a budget (section ``[privacy]``): parents by private selection, families by noisy counts, as in PrivBayes; any two parents of a column
    sit in one family already, so that the whole is a small graphical model and overlapping counts are made to agree before rows are drawn.
    Further parents come as pairs, where the network is most wrong (``further_share = 0`` leaves the plain network).
    Without: parents by a penalised likelihood, on the rows themselves, which the ledger shows as a reveal.
    Prefer ``aim`` for a private release and ``trees`` for an ordinary one: this is here to be compared with. Not for free text, nor for
    columns of thousands of levels that matter (the rare ones share a cell).

    ``focus``: columns whose families count ``focus_weight`` times in the private selection (default: roles outcome, event, arm and time);
    ``degree``: parents of a column at most in a private network (1 where a table is wider than ``wide`` columns);
    ``useful``: a private family has no more cells than leave so many times the noise's standard deviation in the mean cell; ``select_share``:
    of what families may spend, for choosing parents; ``family_cells``: of one ordinary family, ``smoothing``: patients' worth of
    the smaller family that an ordinary family leans on; the rest as for :class:`twinset.generators.marginals.AIM`.
    Sources: Zhang, Cormode, Procopiuc, Srivastava and Xiao, "PrivBayes", TODS 2017; Cooper and Herskovits 1992 and Akaike 1974 for the ordinary one.
    """

    focus: Columns | None = None
    focus_weight: Weight = 2.0
    degree: Degree = 2
    wide: Count = 32
    useful: Positive = 2.0
    select_share: Share = 0.2
    further_share: ShareOrNone = 0.5
    max_cells: Cells = 65_536
    max_parents: Count = 3
    family_cells: Cells = 50_000
    smoothing: Positive = 5.0
    domain_share: ShareOrNone = 0.25
    one_way_share: Share = 0.2
    strength: Strength = 0.003
    sweeps: Sweeps = 8

    def __post_init__(self) -> None:
        check(self, shares=("domain_share", "one_way_share"))

    @property
    def noise_is_fixed(self) -> bool:
        """Further parents are chosen round by round, with noise that depends on what earlier rounds showed; without them all is known beforehand."""
        return self.further_share == 0

    def fit(self, source: Source, rng: Rng) -> Model:
        if source.private:
            return fit_marginals(
                self, source, partial(network, structure=Structure(self.degree, self.wide, self.useful, self.select_share, self.further_share))
            )
        train = source.reveal("bayesian_network: the rows, to count families of columns").synthesised
        return learn(train, Learning(self.max_parents, self.family_cells, self.smoothing))
