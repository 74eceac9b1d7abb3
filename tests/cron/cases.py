"""Random questions: an expression, a zone and an instant to start from."""

import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

UTC = timezone.utc
# Before 1973 some offsets are no whole minutes, which cron cannot tell.
FIRST, LAST = datetime(1973, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Factory is no place, localtime is another on every machine.
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()


def field(least, greatest, names=()):
    """A field of values, lists, ranges and steps."""

    def value():
        number = random.randint(least, greatest)
        if names and random.random() < 0.3:
            return names[(number - least) % len(names)]
        return str(number)

    def span():
        first, last = sorted(random.sample(range(least, greatest + 1), 2))
        return f"{first}-{last}"

    def item():
        kind = random.random()
        if kind < 0.6:
            return value()
        if kind < 0.8:
            return span()
        step = random.randint(1, greatest // 2)
        return f"{random.choice(['*', span(), str(random.randint(least, greatest - 1))])}/{step}"

    return ",".join(item() for _ in range(random.choice([1, 1, 1, 2, 3])))


def expression():
    minute = random.choice(["*", "0", "30", "*/15", field(0, 59), field(0, 59), field(0, 59)])
    near = random.choice(["0", "1", "2", "3", "23", "0,1", "1-3", "2,3", "*/2"])
    hour = random.choice(["*", near, near, field(0, 23)])
    day, month, weekday = "*", "*", "*"
    if random.random() < 0.3:
        day = random.choice([field(1, 31), field(1, 31), "L", "LW", "L,15"])
    if random.random() < 0.15:
        month = field(1, 12, MONTHS)
    if random.random() < 0.3:
        nth = f"{random.randint(0, 7)}#{random.randint(1, 5)}"
        weekday = random.choice([field(0, 7, WEEKDAYS), nth, f"{random.randint(0, 7)}L"])
    return " ".join([minute, hour, day, month, weekday])


def next_change(zone, start):
    """The first instant after `start` at which the zone has another offset; None within two years."""

    def offset(at):
        return at.astimezone(zone).utcoffset()

    before = start
    for _ in range(730):
        after = before + DAY
        if offset(before) != offset(after):
            break
        before = after
    else:
        return None
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if offset(middle) == offset(before):
            before = middle
        else:
            after = middle
    return after


def instant(zone):
    """Mostly within three days of a change of the zone, now and then within hours, else anywhere."""
    start = FIRST + timedelta(seconds=random.randrange(int((LAST - FIRST).total_seconds())))
    change = next_change(zone, start) if random.random() < 0.75 else None
    if change is None:
        return start
    reach = random.choice([3 * 86400, 3 * 86400, 3 * 3600])
    return change + timedelta(seconds=random.randint(-reach, reach))


def case():
    name = random.choice(ZONES)
    return {"expression": expression(), "zone": name, "after": instant(ZoneInfo(name))}
