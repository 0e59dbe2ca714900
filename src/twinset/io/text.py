"""Bytes to text: which encoding a file is in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from twinset.errors import TableUnreadable

PIECE = 1 << 24
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = (
    (b"PK\x03\x04", "a zip or Excel file", "give it the suffix .xlsx"),
    (b"PAR1", "a Parquet file", "give it the suffix .parquet"),
    (b"\x1f\x8b", "compressed", "unpack it first"),
)
CONTROL = bytes([*range(9), 11, *range(14, 27), *range(28, 32)])


def to_utf8(data: bytes, *, encoding: str | None, where: str) -> tuple[bytes, str]:
    """The text as UTF-8 bytes without a mark, and the name of the encoding it was in.

    Found out where not given: by its mark, by its NUL bytes (UTF-16), else UTF-8 if valid, else Windows-1252.
    Raises TableUnreadable for what is not text, or not in this encoding.
    """
    for magic, what, hint in MAGIC:
        if data.startswith(magic):
            raise TableUnreadable(f"this is {what}, not a text table", where=where, hint=hint)
    if encoding is not None:
        return _decoded(data, _known(encoding, where), where), encoding
    marked = next((name for mark, name in MARKS if data.startswith(mark)), None) or _wide(data)
    if marked:
        return _decoded(data, marked, where), marked
    _refuse_binary(data, where)
    if _valid_utf8(data):
        return data, "utf-8"
    try:
        return data.decode("cp1252").encode(), "cp1252"
    except UnicodeDecodeError:
        raise TableUnreadable("the text's encoding cannot be told", where=where, hint='give it: encoding = "mac_roman", "cp850", "latin-1" ...') from None


def _known(encoding: str, where: str) -> str:
    try:
        found = codecs.lookup(encoding).name
    except LookupError:
        raise TableUnreadable("no such encoding", where=where, hint="utf-8, cp1252, latin-1, utf-16 ...") from None
    return "utf-8-sig" if found == "utf-8" else found


def _wide(data: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of plain text is NUL."""
    sample = data[: 1 << 16]
    if len(sample) < 4:
        return None
    even, odd = sample[::2].count(0) / len(sample[::2]), sample[1::2].count(0) / len(sample[1::2])
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def _refuse_binary(data: bytes, where: str) -> None:
    sample = data[: 1 << 20]
    odd = len(sample) - len(sample.translate(None, CONTROL))
    if 0 in sample or odd > max(2, len(sample) // 1000):
        raise TableUnreadable(
            "this is not a text table", where=where, hint="a CSV is plain text; Excel, SAS, SPSS and Stata files are read by their own suffix"
        )


def _valid_utf8(data: bytes) -> bool:
    try:
        for _ in _pieces(data, "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _decoded(data: bytes, encoding: str, where: str) -> bytes:
    try:
        made = b"".join(piece.encode() for piece in _pieces(data, encoding))
    except UnicodeError:
        raise TableUnreadable(
            f"the file is not in the encoding {encoding}", where=where, hint="leave `encoding` out to have it found, or name the one it was saved in"
        ) from None
    _refuse_binary(made, where)
    return made


def _pieces(data: bytes, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield decoder.decode(view[start : start + PIECE])
    yield decoder.decode(b"", final=True)
