"""Sources: find them, find out how they are written, read them strictly in bounded chunks.

What a file holds is never guessed here: each column gets the type of the definition elsewhere.
"""

from pipelines.data.sources.dialects import discover_format
from pipelines.data.sources.finding import find_files, find_sources, local_path
from pipelines.data.sources.opening import open_source, read_table
from pipelines.data.sources.reading import MISSING, Reading
from pipelines.data.sources.sampling import Sample, sample_rows
from pipelines.data.sources.source import Source

__all__ = [
    "MISSING",
    "Reading",
    "Sample",
    "Source",
    "discover_format",
    "find_files",
    "find_sources",
    "local_path",
    "open_source",
    "read_table",
    "sample_rows",
]
