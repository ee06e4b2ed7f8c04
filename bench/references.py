"""References for the benchmarks: the obvious way to do (a part of) the same work."""

import json
import struct
import sys
import time
from pathlib import Path


def json_loads(path: Path) -> float:
    """Seconds that Python's json.loads needs merely to parse the lines of `path` (reading them is not counted)."""
    seconds = 0.0
    with path.open("rb") as lines:
        for line in lines:
            start = time.perf_counter()
            json.loads(line)
            seconds += time.perf_counter() - start
    return seconds


def protobuf_loop(path: Path) -> float:
    """Seconds for a Python loop over the parsed messages of `path` (4-byte length prefixes) that looks at each attribute."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    seconds, rows = 0.0, 0
    with path.open("rb") as stream:
        while prefix := stream.read(4):
            data = stream.read(struct.unpack(">I", prefix)[0])
            start = time.perf_counter()
            message = TracesData.FromString(data)
            for resource_spans in message.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        row = (
                            span.trace_id,
                            span.span_id,
                            span.name,
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                        )
                        rows += len(row) and len({attribute.key: attribute.value for attribute in span.attributes}) >= 0
            seconds += time.perf_counter() - start
    return seconds


def duckdb_unnest(path: Path, database: Path) -> float:
    """Seconds for DuckDB's read_json and unnest to make a table of the spans of `path`, times and ids only."""
    import duckdb

    start = time.perf_counter()
    connection = duckdb.connect(str(database))
    connection.execute(
        f"""CREATE TABLE spans AS
            WITH r AS (SELECT unnest(resourceSpans) AS r FROM read_json('{path}', format='newline_delimited',
                maximum_object_size={64 << 20})),
            s AS (SELECT unnest(r.scopeSpans) AS s FROM r), p AS (SELECT unnest(s.spans) AS p FROM s)
            SELECT p.traceId, p.spanId, p.parentSpanId, p.name, p.kind, p.startTimeUnixNano::BIGINT AS start_ns,
                p.endTimeUnixNano::BIGINT AS end_ns, p.attributes FROM p"""
    )
    connection.close()
    return time.perf_counter() - start


if __name__ == "__main__":  # each reference runs in a process of its own: python -m bench.references NAME FILE…
    print(globals()[sys.argv[1]](*map(Path, sys.argv[2:])))
