"""Privacy noise: drawn here and nowhere else, from the operating system, on integers.

The discrete Gaussian is OpenDP's measurement: the counts go in as integers, the noisy integers come
out, and no float on the way can betray them. The package is imported when first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from twinset.dp import seam
from twinset.errors import BadInput


def discrete_gaussian(counts: np.ndarray, *, sigma: float, keys: Sequence[object] | None = None) -> np.ndarray:
    """``counts`` (int64, any shape) plus discrete Gaussian noise of scale ``sigma`` on every cell, int64 of the same shape.

    ``keys``: one name a cell where the list of cells was itself found in the rows (undeclared levels); the noise does not use them,
    an audit needs them to compare the cells of two tables.
    About 10 microseconds a cell (exact rational arithmetic), so keep tables to what will be used.
    Raises BadInput where the ``private`` extra is not installed or ``sigma`` is not positive.
    Source: Canonne, Kamath and Steinke (NeurIPS 2020), as implemented by OpenDP.
    """
    if not sigma > 0:
        raise BadInput("the noise scale must be positive", hint="give sigma > 0")
    if (other := seam.instead()) is not None:
        return other.discrete_gaussian(np.asarray(counts, dtype=np.int64), sigma=sigma, keys=keys)
    opendp = _opendp()
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), opendp.l2_distance(T="f64")
    measure = opendp.m.make_gaussian(*space, scale=float(sigma))
    flat = np.asarray(counts, dtype=np.int64).ravel()
    return np.asarray(measure(flat.tolist()), dtype=np.int64).reshape(np.shape(counts))


def noisy_max(scores: np.ndarray, *, sensitivity: int, epsilon: float) -> int:
    """The place of the highest of ``scores`` (int64, (k,)) after Gumbel noise of scale 2 sensitivity / epsilon on each.

    Costs rho = epsilon^2 / 8 when one patient moves each score by at most ``sensitivity`` (up or down); that is checked
    against OpenDP's own privacy map before anything is drawn. Scores are integers, so that no float betrays them: round
    to a grid first, and enlarge the sensitivity by what the rounding adds.
    Raises BadInput where there is nothing to choose from, or a parameter is not positive.
    Source: McKenna and Sheldon, "Permute-and-flip" (NeurIPS 2020), section on noisy max; OpenDP ``make_noisy_max``.
    """
    if not (sensitivity > 0 and 0 < epsilon < np.inf):
        raise BadInput("a selection needs a positive sensitivity and epsilon", hint="give both > 0")
    flat = np.asarray(scores)
    if flat.ndim != 1 or not len(flat) or flat.dtype.kind != "i":
        raise BadInput("a selection needs a list of whole scores", hint="round the scores to a grid first")
    if (other := seam.instead()) is not None:
        return other.noisy_max(flat, sensitivity=sensitivity, epsilon=epsilon)
    opendp = _opendp()
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), opendp.linf_distance(T="i64")
    scale = 2 * int(sensitivity) / float(epsilon) * (1 + 1e-12)  # so that OpenDP's map, which rounds up, stays within the bill
    select = opendp.m.make_noisy_max(*space, opendp.zero_concentrated_divergence(), scale=scale)
    if select.map(int(sensitivity)) > epsilon**2 / 8:
        raise BadInput("a selection would cost more than its bill", hint="this is a fault of twinset; do not release")
    return int(select(flat.tolist()))


def _opendp() -> Any:
    """The parts of OpenDP that are used; its ``prelude`` would load its data-frame and learning extras too, 170 MB of them."""
    try:
        from opendp import domains, measurements, measures, metrics, mod
    except ImportError as e:
        raise BadInput("noisy measurements need OpenDP, which is not installed", hint="pip install 'twinset[private]'") from e
    mod.enable_features("contrib")
    return SimpleNamespace(
        m=measurements,
        vector_domain=domains.vector_domain,
        atom_domain=domains.atom_domain,
        l2_distance=metrics.l2_distance,
        linf_distance=metrics.linf_distance,
        zero_concentrated_divergence=measures.zero_concentrated_divergence,
    )
