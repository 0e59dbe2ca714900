"""Files of lines of JSON beside a table, which stay with it and which its owner alone may read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twinset.dp.register_file import folder as config


def beside(table: Path, what: str) -> Path:
    """Where a table's file of ``what`` is: beside the file that a link leads to.

    >>> beside(Path("trial/patients.csv"), "attempts").name
    'patients.csv.attempts.jsonl'
    """
    real = Path(os.path.realpath(table))
    return real.with_name(f"{real.name}.{what}.jsonl")


def place(table: Path, what: str) -> Path:
    """Beside the table; where that folder takes no files, under the user's configuration by the table's full path."""
    path, home = beside(table, what), config()
    if path.exists() or os.access(path.parent, os.W_OK) or home is None:
        return path
    return home / what / (hashlib.sha256(str(path).encode()).hexdigest()[:32] + ".jsonl")


def lines(path: Path | None) -> Sequence[Mapping[str, Any]]:
    """The lines that can be read, in order; none where there is no file. A line that is not JSON, as one cut short by a crash, is left out."""
    try:
        texts = path.read_text(encoding="utf-8").splitlines() if path is not None else []
    except (OSError, UnicodeDecodeError):
        return ()
    found = []
    for text in texts:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            found.append(line)
    return found


def append(path: Path | None, line: Mapping[str, Any]) -> bool:
    """One line at the end of the file, in one write, behind what a crash may have cut short; False where it cannot be written."""
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            torn = os.lseek(handle, 0, os.SEEK_END) > 0 and os.lseek(handle, -1, os.SEEK_END) >= 0 and os.read(handle, 1) != b"\n"
            os.write(handle, (("\n" if torn else "") + json.dumps(line, ensure_ascii=False) + "\n").encode())
        finally:
            os.close(handle)
    except OSError:
        return False
    return True
