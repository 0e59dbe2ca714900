"""Dates as the number that bounds are held in: days since 1970-01-01, fractional for moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1)
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31
LAST = 1 - 1e-6 / 86_400  # the last microsecond of a day


def days(value: date | datetime, *, end: bool = False) -> float:
    """Days since 1970-01-01 of a date or a moment (in UTC, where it names a zone). ``end``: of a date, its last moment.

    >>> days(date(1970, 1, 2)), days(datetime(1970, 1, 2, 12))
    (1.0, 1.5)
    """
    if not isinstance(value, datetime):
        return float((datetime(value.year, value.month, value.day) - EPOCH).days) + (LAST if end else 0.0)
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return (plain - EPOCH) / timedelta(days=1)
