"""Privacy noise: drawn here and nowhere else, from the operating system, on integers.

The discrete Gaussian is OpenDP's measurement: the counts go in as integers, the noisy integers come
out, and no float on the way can betray them. The package is imported when first used.
"""

from __future__ import annotations

import numpy as np

from twinset.errors import BadInput


def discrete_gaussian(counts: np.ndarray, *, sigma: float) -> np.ndarray:
    """``counts`` (int64, any shape) plus discrete Gaussian noise of scale ``sigma`` on every cell.

    Raises BadInput where the ``private`` extra is not installed or ``sigma`` is not positive.
    Source: Canonne, Kamath and Steinke (NeurIPS 2020), as implemented by OpenDP.
    """
    if not sigma > 0:
        raise BadInput("the noise scale must be positive", hint="give sigma > 0")
    try:
        import opendp.prelude as opendp
    except ImportError as e:
        raise BadInput("noisy measurements need OpenDP, which is not installed", hint="pip install 'twinset[private]'") from e
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), opendp.l2_distance(T="f64")
    measure = opendp.m.make_gaussian(*space, scale=float(sigma))
    flat = np.asarray(counts, dtype=np.int64).ravel()
    return np.asarray(measure(flat.tolist()), dtype=np.int64).reshape(np.shape(counts))
