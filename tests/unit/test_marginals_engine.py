"""The graphical-model engine against brute force on small domains, and its sampler against the model it draws from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from twinset.core.domain import Axis
from twinset.core.schema import Column
from twinset.core.seeds import stream
from twinset.generators.marginals.coarse import coarsen
from twinset.generators.marginals.combine import Combined
from twinset.generators.marginals.draw import draw
from twinset.generators.marginals.graph import adjacency, cells, junction_tree, size
from twinset.generators.marginals.growth import Growth
from twinset.generators.marginals.model import Target, TreeModel, fit
from twinset.generators.marginals.pairs import all_pairs


def random_problem(rng: np.random.Generator, most: int = 6) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Sizes of a few attributes and some cliques over them, every attribute in one at least."""
    d = int(rng.integers(1, most + 1))
    sizes = tuple(int(s) for s in rng.integers(1, 5, d))
    cliques = {tuple(sorted(rng.choice(d, size=int(rng.integers(1, min(3, d) + 1)), replace=False).tolist())) for _ in range(int(rng.integers(0, 7)))}
    return sizes, sorted(cliques | {(a,) for a in range(d)})


def truth(sizes: tuple[int, ...], rng: np.random.Generator, total: float = 1000.0) -> np.ndarray:
    table = rng.gamma(0.5, 1.0, sizes)
    return np.asarray(table * (total / table.sum()))


def onto(table: np.ndarray, clique: tuple[int, ...]) -> np.ndarray:
    return np.asarray(table.sum(axis=tuple(i for i in range(table.ndim) if i not in clique)))


def by_hand(model: TreeModel, total: float) -> np.ndarray:
    """The whole table as the product of all potentials: what the tree must agree with."""
    full = np.ones(model.sizes)
    for clique, logs in model.potentials.items():
        full = full * np.exp(logs).reshape([model.sizes[a] if a in clique else 1 for a in range(len(model.sizes))])
    return np.asarray(full * (total / full.sum()))


def fitted(
    table: np.ndarray, cliques: list[tuple[int, ...]], rng: np.random.Generator, *, noise: float = 5.0, soft: float = 1.0, sweeps: int = 60
) -> TreeModel:
    targets = [Target(c, onto(table, c) + rng.normal(0, noise, onto(table, c).shape), soft) for c in cliques]
    tree = junction_tree(adjacency(table.ndim, cliques), table.shape)
    return fit(tree, table.shape, targets, total=float(table.sum()), sweeps=sweeps, tolerance=0.0)


@pytest.mark.parametrize("seed", range(40))
def test_junction_tree_covers_and_runs_through(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 13))
    sizes = rng.integers(2, 9, d).tolist()
    cliques = [tuple(rng.choice(d, size=min(d, int(rng.integers(1, 4))), replace=False).tolist()) for _ in range(int(rng.integers(0, 15)))]
    tree = junction_tree(adjacency(d, cliques), sizes)
    assert set().union(*map(set, tree.cliques)) == set(range(d))
    assert all(tree.home(c) >= 0 for c in cliques)
    assert not any(set(a) <= set(b) for a, b in itertools.permutations(tree.cliques, 2))
    for a in range(d):  # the cliques of an attribute hang together: exactly one of them does not share it with its parent
        holding = [i for i, c in enumerate(tree.cliques) if a in c]
        assert sum(tree.parent[i] < 0 or a not in tree.separators[i] for i in holding) == 1
    assert all(p < i for i, p in enumerate(tree.parent))


@pytest.mark.parametrize("seed", range(25))
def test_every_table_of_the_tree_is_the_whole_models_marginal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes, cliques = random_problem(rng)
    model = fitted(truth(sizes, rng), cliques, rng)
    full = by_hand(model, 1000.0)
    for c, members in enumerate(model.tree.cliques):
        np.testing.assert_allclose(model.table(c), onto(full, members), atol=1e-6)
    offset = np.r_[0, np.cumsum(sizes)]
    pairs = all_pairs(model)
    for a, b in itertools.product(range(len(sizes)), repeat=2):
        block = pairs[offset[a] : offset[a + 1], offset[b] : offset[b + 1]]
        want = np.diag(onto(full, (a,))) if a == b else onto(full, (min(a, b), max(a, b)))
        np.testing.assert_allclose(block, want.T if a > b else want, atol=1e-6)


def test_the_fit_is_the_optimum_of_its_penalised_likelihood() -> None:
    """At the optimum mu + soft * potential = target in every measured cell, up to the one constant that the fixed total takes."""
    rng = np.random.default_rng(3)
    table = truth((3, 4, 2, 3), rng)
    cliques = [(0, 1), (1, 2), (2, 3), (0,), (3,)]
    targets = [Target(c, onto(table, c) + rng.normal(0, 4, onto(table, c).shape), 2.0) for c in cliques]
    model = fit(junction_tree(adjacency(4, cliques), table.shape), table.shape, targets, total=1000.0, sweeps=4000, tolerance=0.0)
    for t in targets:
        mu = model.marginal(t.clique)
        assert mu is not None
        gap = (mu + t.soft * model.potentials[t.clique] - t.counts) / np.maximum(mu, 1.0)
        assert np.ptp(gap) < 0.02  # equal to the constant (the total's), relative to the cell


def test_without_noise_the_measured_marginals_come_back() -> None:
    rng = np.random.default_rng(4)
    table = truth((4, 3, 5, 2), rng, total=1e5)
    cliques = [(0, 1), (1, 2), (0, 2), (2, 3)]
    model = fitted(table, cliques, rng, noise=0.0, soft=1e-3, sweeps=400)
    for c in cliques:
        got = model.marginal(c)
        assert got is not None
        assert np.abs(got - onto(table, c)).sum() / 1e5 < 0.002


def test_combined_measurements_agree_and_weigh_by_precision() -> None:
    rng = np.random.default_rng(5)
    table = truth((4, 5, 3), rng, total=5000.0)
    combined = Combined(table.shape)
    for c, s in (((0, 1), 3.0), ((1, 2), 30.0), ((1,), 3.0), ((0,), 10.0), ((2,), 10.0)):
        combined.add(c, onto(table, c) + rng.normal(0, s, onto(table, c).shape), s)
    np.testing.assert_allclose(combined.estimate((0, 1)).sum(axis=0), combined.estimate((1, 2)).sum(axis=1), atol=1e-8)
    np.testing.assert_allclose(combined.estimate((0, 1)).sum(axis=0), combined.estimate((1,)), atol=1e-8)


def test_combined_variance_is_what_repetition_shows() -> None:
    """The predicted variance of a combined one-way count against 3,000 repetitions (a twin that ignores the pair is 2.5 times off)."""
    rng = np.random.default_rng(6)
    table = truth((3, 4), rng)
    got = []
    for _ in range(3000):
        combined = Combined(table.shape)
        for c, s in (((0,), 8.0), ((0, 1), 3.0)):
            combined.add(c, onto(table, c) + rng.normal(0, s, onto(table, c).shape), s)
        got.append(combined.estimate((0,)) - onto(table, (0,)))
    assert np.var(got) == pytest.approx(combined.variance((0,)), rel=0.05)
    assert np.var(got) < 0.5 * 8.0**2  # the pair's information is in it


def star(n_children: int, levels: int, seed: int) -> TreeModel:
    rng = np.random.default_rng(seed)
    sizes = (levels,) * (n_children + 1)
    root = rng.dirichlet(np.ones(levels))
    children = [rng.dirichlet(np.full(levels, 0.5), levels) for _ in range(n_children)]
    cliques = [(0, i + 1) for i in range(n_children)]
    targets = [Target(c, 50_000 * root[:, None] * t, 1e-3) for c, t in zip(cliques, children, strict=True)]
    return fit(junction_tree(adjacency(len(sizes), cliques), sizes), sizes, targets, total=50_000, sweeps=300)


def chain(d: int, levels: int, *, loop: bool, seed: int) -> TreeModel:
    rng = np.random.default_rng(seed)
    table = truth((levels,) * d, rng, total=50_000)
    cliques = [(i, i + 1) for i in range(d - 1)] + ([(0, d - 1)] if loop else [])
    return fitted(table, cliques, rng, noise=0.0, soft=1e-2, sweeps=200)


MODELS = {
    "star": lambda: star(3, 5, 1),
    "chain": lambda: chain(5, 4, loop=False, seed=2),
    "loop": lambda: chain(5, 4, loop=True, seed=3),
}


def pair_errors(model: TreeModel, rows: np.ndarray) -> dict[tuple[int, int], float]:
    """Total variation distance between the rows' and the model's own pairs."""
    offset = np.r_[0, np.cumsum(model.sizes)]
    pairs = all_pairs(model) / model.total
    out = {}
    for a, b in itertools.combinations(range(len(model.sizes)), 2):
        counts = np.bincount(rows[a] * model.sizes[b] + rows[b], minlength=model.sizes[a] * model.sizes[b]).reshape(model.sizes[a], model.sizes[b])
        out[a, b] = float(0.5 * np.abs(counts / rows.shape[1] - pairs[offset[a] : offset[a + 1], offset[b] : offset[b + 1]]).sum())
    return out


@pytest.mark.parametrize("shape", sorted(MODELS))
def test_rows_have_the_models_own_pairs(shape: str) -> None:
    """Catches a sampler that invents dependence: pairs in one clique come back to a rounding, the others to sampling noise.

    Noise of n = 50,000 independent draws is about 0.4 sqrt(cells / n) = 0.009 at 25 cells; the fault of a fixed order within groups makes 0.56.
    """
    model = MODELS[shape]()
    errors = pair_errors(model, draw(model, 50_000, stream(0, shape)))
    for pair, error in errors.items():
        together = model.tree.home(pair) >= 0
        assert error < (0.004 if together else 0.02), (pair, together)


def test_a_sampler_with_a_fixed_order_in_groups_would_be_seen() -> None:
    """The broken twin of the test above: rows of a parent group dealt in one fixed order couple the children."""
    model = star(3, 5, 1)
    rows = np.zeros((4, 50_000), dtype=np.int64)
    root = model.marginal((0,))
    assert root is not None
    rows[0] = np.repeat(np.arange(5), np.diff(np.r_[0, np.round(np.cumsum(root))]).astype(int))
    for child in (1, 2, 3):
        table = model.marginal((0, child))
        assert table is not None
        for g in range(5):
            inside = np.flatnonzero(rows[0] == g)
            edges = np.round(np.cumsum(table[g]) / table[g].sum() * len(inside)).astype(int)
            rows[child, inside] = np.searchsorted(edges, np.arange(len(inside)), side="right")
    errors = pair_errors(model, rows)
    assert errors[0, 1] < 0.004
    assert errors[1, 2] > 0.1


def test_one_way_counts_of_rows_are_within_a_rounding() -> None:
    model = chain(5, 4, loop=True, seed=5)
    rows = draw(model, 1000, stream(1))
    top = model.tree.cliques[0]
    for a in top:
        want = model.marginal((a,))
        assert want is not None
        assert np.abs(np.bincount(rows[a], minlength=4) - want / model.total * 1000).max() < 5


def test_impossible_combinations_stay_impossible() -> None:
    rng = np.random.default_rng(7)
    table = truth((3, 4, 2), rng)
    forbidden = np.zeros((3, 4), dtype=bool)
    forbidden[1, 2] = forbidden[0, :2] = True
    cliques = [(0,), (1,), (2,), (1, 2)]
    targets = [Target(c, onto(table, c) + rng.normal(0, 3, onto(table, c).shape), 1.0) for c in cliques]
    tree = junction_tree(adjacency(3, [*cliques, (0, 1)]), table.shape)
    model = fit(tree, table.shape, targets, total=1000.0, zeros={(0, 1): forbidden})
    got = model.marginal((0, 1))
    assert got is not None
    assert not got[forbidden].any()
    assert got.sum() == pytest.approx(1000.0)
    rows = draw(model, 5000, stream(2))
    assert not forbidden[rows[0], rows[1]].any()


def test_growth_never_lets_the_model_past_its_limit() -> None:
    rng = np.random.default_rng(8)
    sizes = rng.integers(2, 12, 12).tolist()
    work = list(itertools.combinations(range(12), 2))
    growth = Growth(sizes, max_cells=3000)
    joined: list[tuple[int, ...]] = [(a,) for a in range(12)]
    for _ in range(30):
        near = adjacency(12, joined)
        tree = junction_tree(near, sizes)
        allowed = growth.allowed(tree, near, work, share=1.0)
        open_pairs = [w for w, ok in zip(work, allowed, strict=True) if ok and tree.home(w) < 0]
        if not open_pairs:
            break
        joined.append(open_pairs[int(rng.integers(len(open_pairs)))])
        after = size(adjacency(12, joined), sizes)
        assert after <= 3000 * 1.3  # the greedy triangulation may differ from the bound's by a little
    assert len(joined) > 20
    assert sum(cells(c, sizes) for c in junction_tree(adjacency(12, joined), sizes).cliques) > 500


def axis(counts: int, *, numeric: bool, missing: int = 1) -> Axis:
    column = Column("x", "number", low=0, high=float(counts)) if numeric else Column("x", "category", levels=tuple(f"l{i}" for i in range(counts)))
    edges = np.linspace(0, counts, counts + 1) if numeric else np.zeros(0)
    n = counts + missing
    return Axis(column, column.levels, edges, False, np.arange(n, dtype=np.int32), np.ones(n))


def test_thin_cells_join_and_missing_within_noise_is_never_drawn() -> None:
    levels = coarsen(axis(5, numeric=False), np.array([500.0, 3, -2, 400, 1, 4]), sigma=10.0)
    assert levels.cell_of.tolist() == [0, 2, 2, 1, 2, 0]
    assert levels.weights[-1] == 0
    line = coarsen(axis(5, numeric=True), np.array([10.0, 12, 15, 400, 8, 90]), sigma=10.0)
    assert line.cell_of.tolist() == [0, 0, 0, 1, 1, 2]
    assert line.weights[-1] > 0


def test_coarsening_keeps_each_cells_share_when_drawn_back() -> None:
    made = coarsen(axis(4, numeric=False, missing=0), np.array([900.0, 20, 10, 25]), sigma=10.0)
    group = made.weights[made.cell_of == made.cell_of[1]]
    np.testing.assert_allclose(group / group.sum(), np.array([20, 10, 25]) / 55)
