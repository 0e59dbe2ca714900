"""Outputs that appear whole or not at all: written beside, synced, renamed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinset.errors import OutputProblem

REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or write to another disk"),
    errno.EDQUOT: ("your disk quota is used up", "free some space or write to another disk"),
    errno.EFBIG: ("the file is larger than this disk or account allows", "write to another disk"),
    errno.EROFS: ("the disk is read-only", "write to another folder"),
    errno.EACCES: ("no permission to write here", "write to another folder"),
    errno.EPERM: ("no permission to write here", "write to another folder"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "write to another folder"),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "choose a shorter name"),
}


@contextmanager
def new_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling folder to fill; it becomes ``path`` when the block ends well, and vanishes when it does not.

    An existing folder is only replaced with ``overwrite``, after the new one is complete, and only if everything at
    its top is also made anew (a folder that holds other things is not ours to remove). An empty folder may be filled.
    Raises OutputProblem: exists already, disk full, no permission. Ctrl-C leaves nothing behind.
    """
    goal = Path(path).absolute()
    _refuse_existing(goal, overwrite, "folder")
    with _told(goal):
        goal.parent.mkdir(parents=True, exist_ok=True)
        part = _sibling(goal, "part")
        part.mkdir()
    try:
        with _told(goal):
            yield part
            _sync_tree(part)
            _swap(part, goal)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def new_file(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling file to write (same suffix); it becomes ``path`` when the block ends well.

    Raises OutputProblem as :func:`new_folder` does.
    """
    goal = Path(path).absolute()
    if goal.is_dir():
        raise OutputProblem("this is a folder", where=goal.name, hint="give a file name")
    _refuse_existing(goal, overwrite, "file")
    part = _sibling(goal, f"part{goal.suffix}")
    try:
        with _told(goal):
            goal.parent.mkdir(parents=True, exist_ok=True)
            yield part
            _sync(part)
            part.replace(goal)
            _sync(goal.parent)
    finally:
        part.unlink(missing_ok=True) if goal.parent.is_dir() else None


def _refuse_existing(goal: Path, overwrite: bool, what: str) -> None:
    if not goal.exists() and not goal.is_symlink():
        return
    is_folder = goal.is_dir() and not goal.is_symlink()
    if is_folder and what == "folder" and not any(goal.iterdir()):
        return
    if not overwrite:
        raise OutputProblem("exists already; nothing was written", where=goal.name, hint=f"--overwrite, or another {what}")
    if what == "folder" and not is_folder:
        raise OutputProblem("a file of this name exists; nothing was written", where=goal.name, hint="another folder")
    if what == "folder" and (Path.cwd().is_relative_to(goal) or Path.home().is_relative_to(goal)):
        raise OutputProblem("this folder holds the one you work in and is not replaced", where=goal.name, hint="another folder")


def _swap(part: Path, goal: Path) -> None:
    """Put the finished folder in place; the old one goes only after that."""
    if not goal.exists():
        part.rename(goal)
        _sync(goal.parent)
        return
    others = {p.name for p in goal.iterdir()} - {p.name for p in part.iterdir()}
    if others:
        raise OutputProblem(
            f"the folder also holds {len(others)} thing{'s' if len(others) > 1 else ''} that this run does not make; it was left as it is",
            where=goal.name,
            hint="move them elsewhere, or write to another folder",
        )
    old = _sibling(goal, "old")
    goal.rename(old)
    try:
        part.rename(goal)
    except BaseException:
        old.rename(goal)
        raise
    _sync(goal.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sibling(goal: Path, ending: str) -> Path:
    return goal.parent / f".{goal.name[:80]}.{secrets.token_hex(4)}.{ending}"


@contextmanager
def _told(goal: Path) -> Iterator[None]:
    """Operating-system refusals as OutputProblem."""
    try:
        yield
    except OSError as e:
        what, hint = REASONS.get(disk_error(e) or 0, ("", ""))
        if not what:
            raise
        raise OutputProblem(f"{what}; nothing half-written was left", where=goal.name, hint=hint) from None


def disk_error(error: BaseException) -> int | None:
    """The operating system's number for what the disk refused, also where a library only words it; else ``None``."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    said = re.search(r"os error (\d+)", str(error))
    if said and int(said.group(1)) in REASONS:
        return int(said.group(1))
    words = {os.strerror(number).lower(): number for number in REASONS}
    return next((number for text, number in words.items() if text in str(error).lower()), None)


def _sync_tree(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        for name in files:
            _sync(Path(place) / name)
        _sync(Path(place))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
