"""Who a row is, and the random numbers that depend on that alone: keyed hashes that a database can repeat.

digest    BLAKE2b of 16 bytes (RFC 7693), key = ``<purpose>/<seed>`` in UTF-8, message = the text in UTF-8
number    the digest's first 8 bytes as a little-endian integer, low 63 bits, mixed with a place (splitmix64's finaliser, Steele, Lea and Flood 2014)

Polars' own hash depends on the type a column was found to have, and may change with its version.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

IntArray = np.ndarray
SIDE = "twinset/side"  # purpose of the hash that decides who is held out
MASK = 2**63 - 1
GOLDEN = 0x1E3779B97F4A7C15
MIX = ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB), (31, 1))  # shift, then factor


def digests(texts: pl.Series, *, purpose: str, seed: int) -> IntArray:
    """uint64 (n, 2): the digest of each text; a gap counts as an empty text. ``purpose``: so that one use tells nothing about another.

    >>> digests(pl.Series(["12", "12.0"]), purpose="side", seed=0)[:, 0].tolist()
    [13459676406894632378, 8669162084769659751]
    """
    start = hashlib.blake2b(key=f"{purpose}/{seed}".encode()[:64], digest_size=16)
    made = []
    for text in texts.fill_null("").to_list():
        one = start.copy()
        one.update(text.encode())
        made.append(one.digest())
    return np.frombuffer(b"".join(made), dtype="<u8").reshape(-1, 2).astype(np.uint64)


def mixed(base: IntArray, place: IntArray) -> IntArray:
    """63 random bits for each place of each digest, uint64 (n,); ``base``: the digests' first numbers."""
    with np.errstate(over="ignore"):
        z = (base + (place.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)) & np.uint64(MASK)
        for shift, factor in MIX:
            z = ((z ^ (z >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(MASK)
    return np.asarray(z)


def row_texts(frame: pl.DataFrame) -> pl.Series:
    """Each row as one text, different for different rows: the length of every cell's text, then the text. Floats by their bits, dates by their number.

    >>> row_texts(pl.DataFrame({"a": ["x", None], "b": [1, 2]})).to_list()
    ['1:x1:1', '-1:2']
    """
    cells = [_cell_texts(s).to_frame("x").select(pl.when(pl.col("x").is_null()).then(pl.lit("-")).otherwise(_sized()).alias(s.name)) for s in frame]
    joined = pl.concat(cells, how="horizontal").select(pl.concat_str(pl.all())) if cells else pl.DataFrame({"x": [""] * frame.height})
    return joined.to_series()


def copies(digest: IntArray) -> IntArray:
    """How many equal digests stand before each, int64 (n,): rows alike in every cell are told apart by it and by nothing else."""
    order = np.lexsort((digest[:, 1], digest[:, 0]))
    ordered = digest[order]
    starts = np.r_[0, np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1] if len(digest) else np.zeros(0, dtype=np.int64)
    out = np.empty(len(digest), dtype=np.int64)
    out[order] = np.arange(len(digest)) - np.repeat(starts, np.diff(np.r_[starts, len(digest)]))
    return out


def _sized() -> pl.Expr:
    return pl.concat_str(pl.col("x").str.len_bytes().cast(pl.String), pl.lit(":"), pl.col("x"))


def _cell_texts(series: pl.Series) -> pl.Series:
    if series.dtype == pl.String:
        return series
    if series.dtype.is_float():
        bits = (series.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0).view(np.int64)  # + 0.0: one zero
        return pl.Series(series.name, bits).cast(pl.String).to_frame("x").select(pl.when(series.is_not_null()).then(pl.col("x"))).to_series()
    return series.to_physical().cast(pl.String) if series.dtype != pl.Boolean else series.cast(pl.Int8).cast(pl.String)
