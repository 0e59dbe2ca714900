"""Lines of Python and R for the README of a release: they run as they are, in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twinset.core.schema import Schema

READ = {"csv": "read.csv, check.names = FALSE", "parquet": "arrow::read_parquet", "xlsx": "readxl::read_excel"}

DECLARED = """
### A declared analysis
Its interval stands in `analyses.json`, made by refits on resampled patients. In Python:

```python
import math
import twinset

found = twinset.combine(".", {name})
print({value})
print(found.says)
```

In R:

```r
a <- jsonlite::fromJSON("analyses.json")
a <- a[a$endpoint == {endpoint} & a$contrast == {contrast}, ]
half <- qt(0.975, a$runs - 1) * a$error
{r_value}
```
"""
OWN = """
### An analysis of your own
Here the mean of {column}; put your estimate and its standard error in its place. In Python:

```python
import twinset

def analysis(frame):
    x = frame[{quoted}].drop_nulls()
    return x.mean(), x.std() / len(x) ** 0.5

found = twinset.combine(".", analysis)
print(found.value, found.low, found.high)
print(found.says)
```

In R (T_s = v (k/n + 1/m): v the squared standard error, k rows of a copy, n patients, m copies):

```r
copies <- lapply(c({files}), {read})
own <- sapply(copies, function(d) {{ x <- na.omit(d[[{quoted}]]); c(mean(x), var(x) / length(x)) }})
value <- mean(own[1, ])
error <- sqrt(mean(own[2, ]) * (nrow(copies[[1]]) / {n} + 1 / length(copies)))
c(value, value - qnorm(0.975) * error, value + qnorm(0.975) * error)
```
"""


def declared(entry: Mapping[str, Any]) -> str:
    """For one entry of ``analyses.json``."""
    ratio = bool(entry["ratio"])
    return DECLARED.format(
        name=_quoted(f"{entry['endpoint']}: {entry['contrast']}"),
        endpoint=_quoted(entry["endpoint"]),
        contrast=_quoted(entry["contrast"]),
        value="math.exp(found.value), math.exp(found.low), math.exp(found.high)" if ratio else "found.value, found.low, found.high",
        r_value="exp(c(a$value, a$value - half, a$value + half))" if ratio else "c(a$value, a$value - half, a$value + half)",
    )


def own(schema: Schema, files: Sequence[str], *, n: int) -> str:
    """For an analysis that was not declared, by T_s: the mean of the first number; "" where there is none. ``n``: real patients."""
    numbers = [c.name for c in schema if c.kind in ("number", "integer") and not c.missing_codes and c.role not in ("time", "event")]
    if not numbers:
        return ""
    suffix = files[0].rpartition(".")[2]
    quoted = _quoted(numbers[0])
    return OWN.format(column=f"`{numbers[0]}`", quoted=quoted, n=n, files=", ".join(_quoted(f) for f in files), read=READ[suffix])


def _quoted(text: str) -> str:
    """A string of Python, of R and of JSON alike: in double quotes, with backslashes."""
    return json.dumps(text, ensure_ascii=False)
