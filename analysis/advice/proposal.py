"""What a source of advice proposes, and helpers that sources share."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from overbudget.analysis.whatif.changes import Change
from overbudget.analysis.whatif.whatif import Workbench

Kind = Literal[
    "parallelise",
    "cache",
    "prompt_prefix",
    "batch_calls",
    "fewer_steps",
    "shorten_prompt",
    "limit_output",
    "retries",
    "blocking",
    "queue",
    "model",
    "hedging",
    "cold_start",
    "keep_alive",
    "instrument",
]
Confidence = Literal["strong", "plausible", "weak"]
Source = Callable[[Workbench], Iterator["Proposal"]]

LEAST_REQUESTS = 20  # or calls, for any advice


@dataclass(frozen=True)
class Proposal:
    """A change, with evidence for and against. `operations` are (service, name). Without `changes` no saving is predicted."""

    kind: Kind
    operations: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...]
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    confidence: Confidence


def ask(bench: Workbench, query: str, chosen: npt.NDArray[np.integer]) -> duckdb.DuckDBPyRelation:
    """The rows of `query`, which finds the `chosen` nodes in a relation of that name."""
    connection = bench.nodes.connection
    connection.register("chosen", pa.table({"node": pa.array(chosen, pa.int32())}))
    return connection.sql(query)


def with_services(bench: Workbench, operations: Iterable[int]) -> tuple[tuple[str, str], ...]:
    """Service and name of operations; a name that several services have appears once for each."""
    found: list[tuple[str, str]] = []
    for operation in operations:
        found += bench.nodes.connection.execute(
            "SELECT DISTINCT service_name, name FROM operations WHERE name = $1 ORDER BY ALL",
            [bench.nodes.replay_input.names[operation]],
        ).fetchall()
    return tuple(found)
