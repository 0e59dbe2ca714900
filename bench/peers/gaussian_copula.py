"""SDV's Gaussian copula synthesizer with its defaults."""

import torch
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer
from timing import run

torch.set_num_threads(1)


def fit(frame, seed):
    metadata = Metadata.detect_from_dataframes({"table": frame}, infer_sdtypes=True, infer_keys=None)
    for c in frame.columns:
        kind = "categorical" if frame[c].dtype == object or frame[c].nunique() <= 20 else "numerical"
        metadata.update_column(c, "table", sdtype=kind)
    model = GaussianCopulaSynthesizer(metadata)
    model.fit({"table": frame})
    return model


def sample(model, n):
    out = model.sample(num_rows=n)
    return out["table"] if isinstance(out, dict) else out


run(fit, sample)
