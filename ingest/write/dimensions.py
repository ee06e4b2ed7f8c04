"""Resources and scopes, each stored once, however often a dump repeats them."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.kernels.content_hash import hash_lists, hash_strings


class Dimension:
    """The distinct rows so far, recognised by content; `encode` numbers the rows of a batch."""

    def __init__(self, first_id: int = 0) -> None:
        self._id_of_hash: dict[int, int] = {}
        self._next = first_id
        self._new: list[pa.Table] = []

    def encode(self, rows: pa.Table) -> npt.NDArray[np.int32]:
        """int32[rows]: the number of each row. Attribute lists are equal whatever the order of their keys."""
        hashes = np.zeros(rows.num_rows, np.uint64)
        with np.errstate(over="ignore"):
            for column in rows.columns:
                part = hash_lists(column) if pa.types.is_list(column.type) else hash_strings(column)
                hashes = (hashes ^ part) * np.uint64(0x9E3779B97F4A7C15)
                hashes ^= hashes >> np.uint64(29)
        distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        new = np.array([h not in self._id_of_hash for h in distinct.tolist()], bool)
        if new.any():
            numbers = range(self._next, self._next + int(new.sum()))
            self._id_of_hash.update(zip(distinct[new].tolist(), numbers, strict=True))
            self._next = numbers.stop
            self._new.append(rows.take(pa.array(first[new])).append_column("id", pa.array(numbers, pa.int32())))
        ids = np.array([self._id_of_hash[h] for h in distinct.tolist()], np.int32)
        return ids[inverse]

    def take_new(self) -> list[pa.Table]:
        """The rows (with a column `id`) that came since the last call."""
        new, self._new = self._new, []
        return new
