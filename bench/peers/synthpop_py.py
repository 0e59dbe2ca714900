"""synthpop-py: sequential CART with its defaults; missing values natively."""

from synthpop import Synthesiser
from timing import run


def fit(frame, seed):
    for c in frame.columns:  # text columns must be categories
        if frame[c].dtype == object or str(frame[c].dtype) in ("str", "string"):
            frame[c] = frame[c].astype("category")
    model = Synthesiser(random_seed=seed)
    model.fit(frame)
    return model


run(fit, lambda model, n: model.generate(n))
