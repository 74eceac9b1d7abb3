"""Where Bellringer and CronSim differ on purpose, with reasons.

A difference that none of these explains is a bug of one of the two. Each has an example; the script
asserts that both programs still answer it as it says here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Callable
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

HORIZON = datetime(2200, 1, 1, tzinfo=timezone.utc)
REFUSED, LOST = "refused", "lost"


class Bounded(CronSim):
    """CronSim goes round in circles for some cases; this one stops after so many steps."""

    STEPS = 200_000

    class Lost(Exception):
        pass

    def tick(self, *args, **kwargs):
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps > self.STEPS:
            raise self.Lost
        super().tick(*args, **kwargs)


@dataclass(frozen=True)
class Intended:
    name: str
    reason: str
    # Whether it explains the answers `ours` and `theirs` to a case.
    explains: Callable
    # Expression, zone, start, our first fires, their first fires.
    example: tuple


def is_wild(case):
    """Debian cron's test: the minute or the hour starts with a star."""
    minute, hour, *_ = case["expression"].split()
    return minute.startswith("*") or hour.startswith("*")


def theirs_after(case, count):
    """CronSim's first fires that are really after the start."""
    after = case["after"]
    fires = CronSim(case["expression"], after.astimezone(ZoneInfo(case["zone"])))
    found = []
    for fire in fires:
        fire = fire.astimezone(timezone.utc)
        if fire > after:
            found.append(fire)
        if len(found) == count or fire > after + timedelta(days=3660):
            break
    return found


def minute_by_minute(case, count):
    """What a cron does that wakes up every minute and looks at the clock on the wall."""
    zone = ZoneInfo(case["zone"])
    # For its fields, as CronSim has read them.
    fields = CronSim(case["expression"], datetime(2000, 1, 1))
    at = case["after"].replace(second=0, microsecond=0)
    found = []
    while len(found) < count and at < case["after"] + timedelta(days=400):
        at += timedelta(minutes=1)
        local = at.astimezone(zone)
        if (
            local.minute in fields.minutes
            and local.hour in fields.hours
            and local.month in fields.months
            and fields.match_day(local.date())
        ):
            found.append(at)
    return found


INTENDED = [
    Intended(
        name="asked in the last pass",
        reason="For fixed entries CronSim reckons in local time alone: asked from the last pass of a "
        "repeated hour it answers with the first pass, which is over. Ours are after the start.",
        explains=lambda case, ours, theirs: not is_wild(case)
        and isinstance(theirs, list)
        and theirs[0] <= case["after"]
        and theirs_after(case, len(ours)) == ours,
        example=(
            "22 2 * * *", "Europe/Rome", "1995-09-24T02:18:06+01:00",
            ["1995-09-25T01:22:00Z", "1995-09-26T01:22:00Z"],
            ["1995-09-24T00:22:00Z", "1995-09-25T01:22:00Z"],
        ),
    ),
    Intended(
        name="stepped over",
        reason="For wild entries CronSim steps by whole hours, and so steps over minutes, or over "
        "hours, when the clocks change by another amount or at another minute than the full hour. "
        "Ours are those of a cron that looks at the clock every minute.",
        explains=lambda case, ours, theirs: is_wild(case)
        and isinstance(theirs, list)
        and minute_by_minute(case, len(ours)) == ours,
        example=(
            "* 11 * * *", "Australia/Lord_Howe", "2016-10-01T23:05:36+10:30",
            ["2016-10-02T00:00:00Z", "2016-10-02T00:01:00Z"],
            ["2016-10-02T00:30:00Z", "2016-10-02T00:31:00Z"],
        ),
    ),
    Intended(
        name="in circles",
        reason="For wild entries, and clocks that go back right after midnight, CronSim goes round in "
        "circles at midnight. Ours are those of a cron that looks at the clock every minute.",
        explains=lambda case, ours, theirs: is_wild(case)
        and theirs == LOST
        and minute_by_minute(case, len(ours)) == ours,
        example=(
            "42,46/10,32-34 */2 * * *", "America/Moncton", "1994-10-29T23:38:40-04:00",
            ["1994-10-30T04:32:00Z", "1994-10-30T04:33:00Z"],
            LOST,
        ),
    ),
    Intended(
        name="an impossible date",
        reason="CronSim refuses to read some dates that never come. We read them all, and say of the "
        "schedule that it never fires.",
        explains=lambda case, ours, theirs: theirs == REFUSED and ours == [],
        example=("0 2 31 6 *", "UTC", "2025-01-01T00:00:00+00:00", [], REFUSED),
    ),
    Intended(
        name="the horizon",
        reason="Our times end with the year 2199.",
        explains=lambda case, ours, theirs: isinstance(theirs, list)
        and len(ours) < len(theirs)
        and theirs[: len(ours)] == ours
        and theirs[len(ours)] >= HORIZON,
        example=(
            "0 0 29 2 */7", "UTC", "2180-01-01T00:00:00+00:00",
            ["2184-02-29T00:00:00Z"],
            ["2184-02-29T00:00:00Z", "2224-02-29T00:00:00Z"],
        ),
    ),
]


def theirs(case, count):
    """CronSim's answer: its first fires, or REFUSED, or LOST."""
    try:
        fires = Bounded(case["expression"], case["after"].astimezone(ZoneInfo(case["zone"])))
        return [fire.astimezone(timezone.utc) for fire, _ in zip(fires, range(count))]
    except CronSimError:
        return REFUSED
    except Bounded.Lost:
        return LOST
