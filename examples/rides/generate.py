"""Hourly rides in twelve zones of a made-up city, week by week; the same seed gives the same rides.

    python -m examples.rides.generate OUT --weeks 1:10

writes OUT/data/week-01.csv ... with the target, and OUT/score/week-01.csv ... the same rows without it.

| weeks | what happens                                                                                   |
|-------|------------------------------------------------------------------------------------------------|
| 1-10  | calm: the history; one row in 500 has a defect, for the quarantine                             |
| 11-12 | calm                                                                                           |
| 13    | `shifted`: hot, stormy and at high prices. The inputs move, what they mean does not            |
| 14    | calm again                                                                                     |
| 15 on | `metro`: a new line opens. The inputs look as ever; who rides, when and at what price does not |
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

Change = Literal["calm", "shifted", "metro"]

START = datetime(2025, 3, 1)  # a Saturday: the first days of any week hold a weekend and working days
SEED = 11
HISTORY = 10  # weeks
DEFECTS = 0.002  # share of the rows of the history
HOURS = 168

ZONES = [
    "North",
    "Castle",
    "Docks",
    "Fair",
    "Zoo",
    "Port",
    "Market",
    "Mill",
    "Centre",
    "Park",
    "East",
    "Campus",
]
SIZE = np.array([70, 60, 45, 40, 55, 65, 90, 50, 95, 45, 100, 80.0])  # rides in an average hour
FARE = np.array([14, 9, 10, 9, 8, 10, 8, 9, 8, 8, 9, 7.0])
NIGHTLIFE = np.array([0.2, 0.4, 0.1, 0.8, 0.2, 0.7, 0.6, 0.1, 0.9, 0.3, 0.4, 0.7])  # 0: offices, 1: bars
METRO = np.array([0.5, 1, 1.8, 1.8, 0.5, 1, 0.5, 1.8, 0.5, 1, 0.5, 1])  # demand in a zone once the metro runs
LATER = 3  # hours by which the day's peaks move then
EVENTS = ["none", "concert", "match", "market"]
EVENT_SHARE = [0.82, 0.06, 0.06, 0.06]
EVENT_DEMAND = np.array([1.0, 1.5, 1.8, 1.25])
SPREAD = 16  # of the negative binomial: the smaller, the noisier
SURGE_HOURS = [7, 8, 9, 17, 18, 19]


def generate(start: datetime, weeks: int, seed: int, change: Change = "calm") -> pd.DataFrame:
    """`weeks` weeks of rides from `start` (a midnight), a row per hour and zone, in order of time."""
    rng = np.random.default_rng([seed, start.toordinal()])
    time = pd.date_range(start, periods=weeks * HOURS, freq="h")
    hour, weekend = time.hour.to_numpy()[:, None], (time.dayofweek.to_numpy() >= 5)[:, None].astype(float)
    temperature, rain, wind = weather(time, rng)
    holiday = local_holidays(weeks, rng)
    event = np.where(
        (hour >= 17) & (hour <= 23), rng.choice(len(EVENTS), temperature.shape, p=EVENT_SHARE), 0
    )
    surge = 1 + 0.15 * np.isin(hour, SURGE_HOURS) + 0.1 * (rain > 0.5)
    price = FARE * surge * np.exp(rng.normal(0, 0.2, temperature.shape))
    if change == "shifted":
        temperature, price, wind, rain = temperature + 12, price * 1.4, wind * 1.5, rain * 1.5

    metro = change == "metro"
    demand = (
        SIZE
        * (METRO if metro else 1.0)
        * day_profile((hour - LATER) % 24 if metro else hour, np.maximum(weekend, holiday))
        * comfort(temperature, rain, wind)
        * (price / FARE) ** (0.5 if metro else -0.5)
        * EVENT_DEMAND[event]
    )
    rides = rng.negative_binomial(SPREAD, SPREAD / (SPREAD + demand))  # a little more spread than Poisson
    return pd.DataFrame(
        {
            "time": time.repeat(len(ZONES)),
            "zone": np.tile(ZONES, len(time)),
            "temperature": temperature.round(1).ravel(),
            "rain": rain.round(1).ravel(),
            "wind": wind.round(1).ravel(),
            "holiday": np.where(holiday, "yes", "no").ravel(),
            "price": price.round(2).ravel(),
            "event_nearby": np.array(EVENTS)[event].ravel(),
            "rides": rides.ravel(),
        }
    )


def weather(time: pd.DatetimeIndex, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degrees, mm of rain and m/s of wind by hour and zone: fronts cross the city, showers are local."""
    hour, day = time.hour.to_numpy()[:, None], time.dayofyear.to_numpy()[:, None]
    daily = 7 * np.sin((hour - 9) / 24 * 2 * np.pi)
    season = 0.2 * np.sin((day - 110) / 365 * 2 * np.pi)  # mild: a city by the sea
    temperature = (
        16 + daily + season + 0.6 * fronts(len(time), 1, rng) + 1.5 * fronts(len(time), len(ZONES), rng)
    )
    wet = 0.3 * fronts(len(time), 1, rng) + 0.95 * fronts(len(time), len(ZONES), rng)
    rain = 2.5 * np.maximum(wet - 1, 0)
    wind = 5 * np.exp(0.08 * fronts(len(time), 1, rng) + 0.35 * fronts(len(time), len(ZONES), rng))
    return temperature, rain, wind


def fronts(hours: int, zones: int, rng: np.random.Generator, memory: float = 0.8) -> np.ndarray:
    """Noise of unit variance in which an hour is like the one before it."""
    noise = rng.normal(size=(hours, zones))
    noise[1:] *= np.sqrt(1 - memory**2)
    for now in range(1, hours):
        noise[now] += memory * noise[now - 1]
    return noise


def local_holidays(weeks: int, rng: np.random.Generator) -> np.ndarray:
    """Each week three zones have two days off: districts take their holidays in turn."""
    days = np.zeros((weeks * 7, len(ZONES)), dtype=bool)
    for week in range(weeks):
        for zone in rng.choice(len(ZONES), 3, replace=False):
            days[week * 7 + rng.choice(7, 2, replace=False), zone] = True
    return days.repeat(24, axis=0)


def day_profile(hour: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Demand by hour and zone, about 1 on average: two rushes on a working day, late nights on a free one."""

    def peak(at: float, width: float) -> np.ndarray:
        away = np.abs((hour - at + 12) % 24 - 12)
        return np.exp(-0.5 * (away / width) ** 2)

    working = 0.25 + 1.9 * peak(8, 1.5) + 1.6 * peak(18, 2) + 0.5 * peak(13, 2)
    leisure = 0.25 + 1.2 * peak(15, 3.5) + 1.5 * peak(22, 2.5)
    share = np.clip(0.8 * NIGHTLIFE + (0.35 * free - 0.05), 0, 1)
    return (1 - share) * working * (1 - 0.35 * free) + share * leisure * (1 + 0.2 * free)


def comfort(temperature: np.ndarray, rain: np.ndarray, wind: np.ndarray) -> np.ndarray:
    """Cold, rain and wind make people ride; heat hardly matters."""
    return np.exp(
        0.18 * np.tanh((14 - temperature) / 6) + 0.35 * np.tanh(rain / 2) + 0.02 * np.tanh((wind - 5) / 3)
    )


def spoil(rides: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows with a few defects: a stuck thermometer, rain below zero, a count that was lost."""
    rng = np.random.default_rng(seed)
    spoilt = rides.astype({"rides": "Int64"})
    rows = rng.choice(len(spoilt), max(3, round(DEFECTS * len(spoilt))), replace=False)
    for column, value, hit in zip(
        ["temperature", "rain", "rides"], [999.0, -1.0, pd.NA], np.array_split(rows, 3), strict=True
    ):
        spoilt.loc[hit, column] = value
    return spoilt


def change_of(week: int) -> Change:
    """What happens in a week, from 1."""
    return "shifted" if week == 13 else "metro" if week >= 15 else "calm"


def week_of(week: int) -> pd.DataFrame:
    """The rows of a week, from 1, with the defects of the history."""
    rides = generate(START + timedelta(weeks=week - 1), 1, SEED, change_of(week))
    return spoil(rides, SEED + week) if week <= HISTORY else rides


def write_week(folder: Path, week: int) -> tuple[Path, Path]:
    """Write data/week-NN.csv with the target and score/week-NN.csv without it."""
    rides = week_of(week)
    labelled, unlabelled = (folder / part / f"week-{week:02d}.csv" for part in ("data", "score"))
    for file, rows in ((labelled, rides), (unlabelled, rides.drop(columns="rides"))):
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(file, index=False)
    return labelled, unlabelled


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--weeks", default=f"1:{HISTORY}", help="first:last, both included")
    arguments = parser.parse_args()
    first, _, last = arguments.weeks.partition(":")
    for week in range(int(first), int(last or first) + 1):
        write_week(arguments.out, week)


if __name__ == "__main__":
    main()
