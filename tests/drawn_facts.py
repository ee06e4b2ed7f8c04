"""Drawn traces whose spans say something: for what is derived from facts, without dumps or ingest."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from overbudget.ingest.derive.call_times import Inference
from overbudget.ingest.derive.inference import inference_of
from overbudget.ingest.write.facts import FACT_NAMES, SCHEMA
from overbudget.kernels.columns import I32
from overbudget.stages.assign import stage_of_nodes
from overbudget.stages.names import DEFAULT_STAGES, UNATTRIBUTED
from tests.trace_picture import MS, Drawn, draw

Facts = dict[str, dict[str, str]]
STAGES = (*DEFAULT_STAGES, UNATTRIBUTED)


@dataclass(frozen=True)
class Saying:
    """A drawing whose spans (span_no: their place in it) say what `connection` has in its table `facts`."""

    connection: duckdb.DuckDBPyConnection
    drawn: Drawn
    span_no: I32
    catalogue: Any
    inference: Inference


def saying(
    picture: str, facts: Facts, skew_ns: Mapping[str, int] | None = None, waits_ms: Mapping[str, int] | None = None
) -> Saying:
    """Given what each span says. `waits_ms` is how long a span waits in its server's queue first."""
    drawn = draw(picture)
    tree = drawn.tree
    named = {drawn.name(node): node for node in range(len(tree.row))}
    for name, shift in (skew_ns or {}).items():
        tree.skew[named[name]] = shift
    catalogue = SimpleNamespace(
        columns=drawn.operations,
        stages=STAGES,
        count=len(drawn.names),
        names=tuple(drawn.names),
        name_codes=np.arange(len(drawn.names), dtype=np.int32),
    )
    rows = [
        {"span_no": drawn.names.index(span), "fact": FACT_NAMES.index(fact), "value": value}
        for span, said in facts.items()
        for fact, value in said.items()
    ]
    connection = duckdb.connect()
    connection.register("given", pa.Table.from_pylist(rows, schema=SCHEMA))
    connection.execute("CREATE TEMP TABLE facts AS FROM given")
    span_no = tree.row.astype(np.int32)
    stage_of = stage_of_nodes(tree, drawn.operations, len(STAGES) - 1)
    waits = np.zeros(len(tree.row), np.int64)
    for name, ms in (waits_ms or {}).items():
        waits[named[name]] = ms * MS
    inference = inference_of(
        connection,
        tree,
        span_no,
        drawn.requests.entry,
        drawn.request_of,
        catalogue,
        stage_of,
        waits,  # type: ignore[arg-type]
    )
    return Saying(connection, drawn, span_no, catalogue, inference)
