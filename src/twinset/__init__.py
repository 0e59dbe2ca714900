"""Twinset: a table of real patients becomes a synthetic cohort that may be shared, and the evidence that says why.

    import twinset
    twin = twinset.synthesize(frame)                        # a frame of your own kind
    made = twinset.release("study.toml", "out")             # data, audit, verdict, report
    told = twinset.ask("study.toml", "mean(age) by arm", epsilon=0.5)  # under [privacy]: answers without a table
    found = twinset.audit(train=a, holdout=b, synthetic=c)  # of any synthetic table

The functions ``audit`` and ``release`` share their names with sub-packages; these are imported as usual
(``from twinset.audit.run import run``).
"""

import twinset.audit
import twinset.release  # noqa: F401 (the packages come first, the functions are bound over them)
from twinset.api import Audit, ask, audit, check_generator, combine, infer, load_study, plugins, release, sweep, synthesize
from twinset.errors import TwinsetError

__version__ = "0.1.0"
__all__ = [
    "Audit",
    "TwinsetError",
    "__version__",
    "ask",
    "audit",
    "check_generator",
    "combine",
    "infer",
    "load_study",
    "plugins",
    "release",
    "sweep",
    "synthesize",
]
