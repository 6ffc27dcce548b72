"""A version is deployed when the service answers with it, and as it did in evaluation; not when told to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.environment import variable
from pipelines.errors import DataError, ModelUnusable, StackError
from pipelines.home import Home
from pipelines.progress import log
from pipelines.records import ServedModel
from pipelines.serving import client
from pipelines.serving.access import service_token

if TYPE_CHECKING:
    import pandas as pd

SECONDS = 60.0


def watch_rollout(home: Home, served: ServedModel, golden: Path) -> str | None:
    """Wait until the running service answers with a version, and put its golden rows to it: what is wrong.

    `golden` has rows.parquet and expected.parquet; where both are gone the version alone counts, with a
    warning, and where no service runs there is nothing to watch. Raises StackError where the service does
    not say.
    """
    url = variable("EVERGREEN_SERVING_URL")
    if not url:
        log.info("Version %d of %s is champion; no service runs", served.version, served.pipeline)
        return None
    try:
        client.wait_until_serving(url, served.pipeline, served.version, SECONDS)
        complaint = ask_golden(url, service_token(home), served, golden)
    except (ModelUnusable, DataError) as error:
        return error.message
    if complaint is None:
        log.info("Version %d of %s is served", served.version, served.pipeline)
    return complaint


def ask_golden(url: str, token: str, served: ServedModel, golden: Path) -> str | None:
    """How the service's answers to the golden rows differ from those in evaluation, None where they agree."""
    import pandas as pd

    from pipelines.evaluation.footprint import same_answers

    if not any(golden.glob("*.parquet")):
        log.warning("Version %d of %s has no golden rows at %s", served.version, served.pipeline, golden)
        return None
    rows, expected = (read_golden(golden / name) for name in ("rows.parquet", "expected.parquet"))
    sayable = ~rows.select_dtypes("number").isin([math.inf, -math.inf]).any(axis=1).to_numpy()
    rows, expected = rows[sayable], expected[sayable]  # JSON knows no infinity
    if rows.empty:
        return None
    columns = [name for name in client.taken_columns(url, token, served.pipeline) if name in rows.columns]
    try:
        answer = client.predict(url, token, served.pipeline, as_json(rows[columns]), log=False)
    except StackError as error:
        client.health(url)  # it lives, so it is the model that cannot answer
        return error.message
    answers = pd.DataFrame(answer["predictions"]).drop(columns="prediction_id")
    if answer["version"] != served.version:
        return f"version {answer['version']} answers, not version {served.version}."
    if not same_answers(answers, expected.reindex(columns=answers.columns)):
        return f"the service answers {len(rows)} golden rows otherwise than the model did in evaluation."
    return None


def read_golden(path: Path) -> pd.DataFrame:
    """Golden rows or their answers. Raises ModelUnusable where they cannot be read."""
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own are ValueErrors
        raise ModelUnusable(f"Its golden rows cannot be read at {path}: {error}") from error


def as_json(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a caller would send them: times as text, what is missing as null."""
    import pandas as pd

    times = rows.select_dtypes("datetime").columns
    plain = rows.assign(**{name: rows[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f") for name in times})
    records = plain.astype(object).to_dict("records")
    return [{str(k): None if pd.isna(value) else value for k, value in row.items()} for row in records]
