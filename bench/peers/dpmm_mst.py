"""dpmm's MST at epsilon = 1, delta = 1e-9 on a table of cells, with the true domain given."""

from timing import run


def fit(frame, seed):
    from dpmm.pipelines import MSTPipeline

    domain = {c: int(frame[c].max()) + 1 for c in frame.columns}  # the bins are public
    model = MSTPipeline(epsilon=1.0, delta=1e-9, disable_processing=True)
    model.fit(frame.astype(int), domain)
    return model


run(fit, lambda model, n: model.generate(n_records=n))
