"""A row's fingerprint: 64 bits from its values and the names of their columns, the same on every machine.

Each value is mixed with its column's name by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014); a row
is the sum of its values, so that the order of columns does not matter and a missing value counts for nothing:
a column added to the definition leaves the rows that do not have it as they were.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Hashes = np.ndarray[Any, np.dtype[np.int64]]

BLOCK = 1 << 15  # rows at a time: what the passes of the mixer touch stays in the processor's cache


def fingerprint(table: Any) -> Hashes:
    """An int64 for each row of an Arrow table of float64, timestamp and string columns."""
    import numpy as np

    total = np.zeros(table.num_rows, dtype=np.uint64)
    for name, column in zip(table.column_names, table.columns, strict=True):
        add_column(total, column, name)
    mix(total)
    return total.view(np.int64)


def add_texts(prints: Hashes, problems: Any) -> None:
    """Let what an unreadable cell says count too: rows that differ in it alone are two."""
    import numpy as np
    import pyarrow.compute as pc

    if problems.num_rows:
        cells = pc.binary_join_element_wise(problems["column"], problems["found"], "=").combine_chunks()
        np.add.at(prints, problems["row"].to_numpy(), text_bits(cells).view(np.int64))


def add_column(total: Any, column: Any, name: str) -> None:
    """Add a column's mixed values to the rows' sums, missing ones as nothing."""
    import numpy as np
    import pyarrow.compute as pc

    array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    seed = np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], dtype="<u8")[0]
    bits = value_bits(array)
    missing = pc.is_null(array).to_numpy(zero_copy_only=False) if array.null_count else None
    for start in range(0, len(bits), BLOCK):
        part = bits[start : start + BLOCK] ^ seed
        mix(part)
        if missing is not None:
            part[missing[start : start + BLOCK]] = 0
        total[start : start + BLOCK] += part


def value_bits(array: Any) -> Any:
    """64 bits for each value; of a string, those of its spelling."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return text_bits(array)
    numbers = array.fill_null(0) if array.null_count and pa.types.is_floating(array.type) else array
    if pa.types.is_timestamp(array.type):
        numbers = array.cast(pa.int64()).fill_null(0)
    return np.ascontiguousarray(numbers.to_numpy(zero_copy_only=False)).view(np.uint64)


def text_bits(array: Any) -> Any:
    """Each spelling is hashed once."""
    import numpy as np
    import pandas as pd

    coded = array.dictionary_encode()
    if len(coded.dictionary) == 0:
        return np.zeros(len(array), dtype=np.uint64)
    spellings = coded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    hashes = pd.util.hash_array(spellings, categorize=False).astype(np.uint64, copy=False)
    return hashes[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]


def mix(bits: Any) -> None:
    """Spread each of 64 bits over all, in place."""
    import numpy as np

    for start in range(0, len(bits), BLOCK):
        part = bits[start : start + BLOCK]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            part ^= part >> np.uint64(shift)
            part *= np.uint64(factor)
        part ^= part >> np.uint64(31)
