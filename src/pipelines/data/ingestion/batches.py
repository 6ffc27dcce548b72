"""Take in each row once: what the pipeline holds already is known, what is new becomes a staged batch.

A source that has not changed since it was taken in is not read again. Of one that has, rows that are held are
known by their fingerprint, or by their key where the definition names one.
"""

from __future__ import annotations

from pipelines.config import PipelineConfig
from pipelines.data.ingestion.cluster import read_on_cluster, worth_a_cluster
from pipelines.data.ingestion.delivery import read_source
from pipelines.data.ingestion.rebuilding import Rebuild, form_of
from pipelines.data.ingestion.staging import Staging, clear_abandoned
from pipelines.data.ingestion.watermarks import Watermarks
from pipelines.data.sources import Source, find_sources
from pipelines.data.storage.settling import finish_intakes
from pipelines.data.storage.tables import open_table
from pipelines.home import Home
from pipelines.ledger import Ledger
from pipelines.records import Batch, Intake, SourceRead


def stage_batch(config: PipelineConfig, home: Home, extra: list[str] | None = None) -> Batch:
    """Read the source (and `extra`, this once) and stage the rows that the pipeline does not hold yet.

    When the definition says otherwise than before how to read, all sources are read again and all rows staged
    in the new form, with those that only the pipeline still holds. Raises DataError for what cannot be read.
    """
    folder = home.pipeline(config.pipeline)
    clear_abandoned(folder.incoming)
    finish_intakes(home, config.pipeline)
    ledger = Ledger.open(home)
    taken = ledger.intakes(config.pipeline, "accepted")
    form = form_of(config)
    held = open_table(folder.rows) or open_table(folder.quarantine)
    rebuild = bool(taken) and taken[-1].batch.form != form and held is not None
    sources = find_sources(config.data, config.folder, extra)
    seen = {} if rebuild else stamps(taken)
    fresh = [source for source in sources if not source.stamp or source.stamp != seen.get(source.uri)]
    watermarks = Watermarks.of(config, [] if rebuild else taken)
    with Staging(config, home, rebuild=rebuild) as staging:
        again = Rebuild(config, folder, taken[-1].batch.form, staging) if rebuild else None
        reads, said = read_all(fresh, config, staging, watermarks, again)
        reads += again.keep_rows() if again else []
        salt = f"{form}@{again.version}" if again else ""
        batch = staging.finish(
            reads,
            salt,
            unchanged=len(sources) - len(fresh),
            form=form,
            warnings=said,
        )
    if batch.sources:
        ledger.open_intake(batch)
    return batch


def stamps(taken: list[Intake]) -> dict[str, str]:
    """The newest stamp of each source that was taken in."""
    return {source.uri: source.stamp for intake in taken for source in intake.batch.sources}


def read_all(
    sources: list[Source],
    config: PipelineConfig,
    staging: Staging,
    watermarks: Watermarks,
    again: Rebuild | None,
) -> tuple[list[SourceRead], list[str]]:
    """Stage every row of the sources, each a delivery; what was read, and what should be said of it."""
    if again is None and worth_a_cluster(sources):
        found = read_on_cluster(sources, config, staging)
    else:
        found = [read_source(source, config, staging, watermarks, again) for source in sources]
    return [read for read, _ in found], [note for _, notes in found for note in notes]
