"""How far a database has been read: the greatest value of a column that grows, future times apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.clock import now
from pipelines.config import PipelineConfig, Watermark
from pipelines.records import Intake

AHEAD = timedelta(days=1)  # a clock may be wrong, or in another zone; what lies further ahead is a mistake


@dataclass
class Watermarks:
    """`after` is where reading starts, None for all; `reached` how far it came, as text for the ledger."""

    spec: Watermark | None
    after: Any = None
    reached: str | None = None

    @classmethod
    def of(cls, config: PipelineConfig, taken: list[Intake]) -> Watermarks:
        spec = config.data.watermark
        last = next((i.batch.watermark for i in reversed(taken) if i.batch.watermark), None)
        if spec is None or last is None:
            return cls(spec)
        return cls(spec, step_back(parse(last), spec), last)

    def see(self, table: Any) -> None:
        """Move on over a table's rows. Rows dated over a day ahead of the clock do not move it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.spec is None or self.spec.column not in table.column_names:
            return
        values = table[self.spec.column]
        if pa.types.is_timestamp(values.type):
            values = values.cast(pa.timestamp("us", tz=values.type.tz), safe=False)
            moment = datetime.now(UTC) if values.type.tz else now()
            values = values.filter(pc.less_equal(values, pa.scalar(moment + AHEAD, type=values.type)))
        highest = pc.max(values).as_py()
        if highest is not None and (self.reached is None or highest > parse(self.reached)):
            self.reached = highest.isoformat() if isinstance(highest, datetime) else str(highest)


def parse(text: str) -> Any:
    """A watermark as it was: a whole number, a number, a time, or text."""
    for kind in (int, float, datetime.fromisoformat):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def step_back(value: Any, spec: Watermark) -> Any:
    """The watermark less what may come late: a duration of a time, a number of a key."""
    if isinstance(value, datetime):
        return value - spec.late if isinstance(spec.late, timedelta) else value
    return value - spec.late if isinstance(spec.late, float) and not isinstance(value, str) else value
