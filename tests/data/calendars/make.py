"""Writes japan.tsv, japan-days.tsv and recurrence.tsv: what others say of the same days.

    python3 -m venv v && v/bin/pip install holidays==0.109 jpholiday==1.0.3 python-dateutil==2.9.0.post0
    v/bin/python make.py

japan-days.tsv: every day of 2024 to 2030. `holidays` and `jpholiday` must agree on each, else nothing is
written. The last column says what an office is that works Monday to Friday, is closed on holidays, and
closes early on the eve of one.
japan.tsv: every holiday of 1949 to 2099 by `holidays`; `jpholiday` agrees since 1986 (before, it takes
4 May for a citizens' holiday, which there are since 27 December 1985 only).
recurrence.tsv: random rules of RFC 5545 with their days of some years, by `dateutil`.
"""

import datetime
import pathlib
import random

import holidays
import jpholiday
from dateutil.rrule import rrulestr

HERE = pathlib.Path(__file__).parent
DAY = datetime.timedelta(days=1)


def days(first, last):
    while first <= last:
        yield first
        first += DAY


japanese = holidays.country_holidays("JP", years=range(1949, 2101), language="ja")
english = holidays.country_holidays("JP", years=range(1949, 2101), language="en_US")
other = {day for year in range(1986, 2100) for day, _ in jpholiday.year_holidays(year)}
assert other == {day for day in japanese if 1986 <= day.year <= 2099}

with open(HERE / "japan.tsv", "w") as file:
    print("# date\tin Japanese", file=file)
    for day in sorted(japanese):
        if day.year <= 2099:
            print(day, japanese[day], sep="\t", file=file)

with open(HERE / "japan-days.tsv", "w") as file:
    print("# date\tby holidays, in Japanese\tin English\tby jpholiday\toffice", file=file)
    for day in days(datetime.date(2024, 1, 1), datetime.date(2030, 12, 31)):
        assert (day in japanese) == jpholiday.is_holiday(day), day
        if day in japanese:
            office = "holiday"
        elif day.weekday() >= 5:
            office = "weekend"
        elif day + DAY in japanese:
            office = "eve"
        else:
            office = "open"
        names = (japanese.get(day, ""), english.get(day, ""), jpholiday.is_holiday_name(day) or "")
        print(day, *names, office, sep="\t", file=file)

chance = random.Random(5545)
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def some(items, most):
    return ",".join(map(str, sorted(chance.sample(items, chance.randint(1, most)))))


def rule():
    frequency = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={frequency}"]
    if chance.random() < 0.5:
        parts.append(f"INTERVAL={chance.randint(1, 5)}")
    if chance.random() < 0.3:
        parts.append(f"COUNT={chance.randint(1, 40)}")
    elif chance.random() < 0.3:
        parts.append(f"UNTIL=202{chance.randint(6, 9)}{chance.randint(1, 12):02}15")
    months = chance.random() < 0.4
    if months:
        parts.append("BYMONTH=" + some(range(1, 13), 4))
    kind = chance.random()
    named = False
    if kind < 0.3 and frequency != "WEEKLY":
        parts.append("BYMONTHDAY=" + some([*range(-31, 0), *range(1, 32)], 4))
        named = True
        if chance.random() < 0.3:
            parts.append("BYDAY=" + some(WEEKDAYS, 4))
    elif kind < 0.55:
        parts.append("BYDAY=" + some(WEEKDAYS, 5))
        named = True
    elif kind < 0.8 and frequency in ("MONTHLY", "YEARLY"):
        most = 53 if frequency == "YEARLY" and not months else 5
        nth = [f"{n}{day}" for n in (1, 2, 3, -1, -2, most, -most) for day in WEEKDAYS]
        parts.append("BYDAY=" + some(nth, 3))
        named = True
    if named and frequency in ("MONTHLY", "YEARLY") and chance.random() < 0.3:
        parts.append("BYSETPOS=" + some([1, 2, 3, -1, -2], 2))
    if chance.random() < 0.3:
        parts.append("WKST=" + chance.choice(WEEKDAYS))
    return ";".join(parts)


with open(HERE / "recurrence.tsv", "w") as file:
    print("# first day\trule\tits days until 2031", file=file)
    for _ in range(400):
        first = datetime.datetime(2024, 1, 1) + chance.randint(0, 700) * DAY
        text = rule()
        found = []
        for day in rrulestr(text, dtstart=first):
            if day.year > 2030:
                break
            found.append(day.strftime("%Y%m%d"))
        # Every day of some years is no better a witness than the first of them.
        print(first.strftime("%Y%m%d"), text, " ".join(found[:120]), sep="\t", file=file)
