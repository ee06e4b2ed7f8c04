"""Small datasets with known answers, written row by row without dumps, readers or kernels.

A request is an entry span and, one after the other below it, pieces of `Work`; what is left is the entry span's own.
So its critical path is plain: every piece owns its time.

    builder = DatasetBuilder()
    builder.request(Work("retrieval", 40 * MS, "SELECT docs"), Work("inference", 300 * MS), rest_ns=10 * MS)
    path = builder.write(tmp_path / "small.duckdb")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from overbudget.stages.names import DEFAULT_STAGES, UNATTRIBUTED
from overbudget.store.dataset import build

MS = 1_000_000
S = 1_000_000_000
FIRST_START_NS = 1_790_000_000 * S  # 2026-09-21T14:13:20Z


@dataclass(frozen=True)
class Work:
    """A span below the entry span. With `hop_to` its `ns` pass on the way to that place instead of in the span; with
    `callee_ns` besides, the place is instrumented and then takes that long."""

    stage: str | None
    ns: int
    name: str = ""
    service: str = "api"
    hop_to: str | None = None
    callee_ns: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)  # those of the attributes that tell operations apart
    events: tuple[tuple[str, Mapping[str, str]], ...] = ()  # name and attributes
    weak: bool = False
    call: Mapping[str, Any] = field(default_factory=dict)  # columns of data.model_calls, where it is a model call


class DatasetBuilder:
    """Collects requests, then writes them as a dataset."""

    def __init__(self) -> None:
        self.stages = [*DEFAULT_STAGES, UNATTRIBUTED]
        self.places: list[str] = []
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in (
                "data.spans",
                "data.events",
                "data.tree",
                "requests",
                "data.segments",
                "data.model_calls",
                "data.stage_time",
                "data.stage_parts",
            )
        }
        self._operations: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._next_start_ns = FIRST_START_NS

    def request(
        self,
        *work: Work,
        rest_ns: int = 0,
        route: str = "POST /chat",
        service: str = "api",
        kind: str = "SERVER",
        start_ns: int | None = None,
        complete: bool = True,
        status: str = "OK",
        attributes: Mapping[str, str] | None = None,
        **said: Any,
    ) -> int:
        """Add a request (start by default one second after the one before) and return its request_no.

        `said` are columns of `requests` such as model, score, good, conversation_id.
        """
        number = len(self.rows["requests"])
        start = self._next_start_ns if start_ns is None else start_ns
        self._next_start_ns = start + S
        total = sum(piece.ns + piece.callee_ns for piece in work) + rest_ns
        entry_operation = self._operation(service, route, kind, None, False, {}, None)
        entry = self._span(number, -1, start, start + total, entry_operation, UNATTRIBUTED, attributes or {}, status)
        times: dict[str, list[int]] = {}
        at = start
        for piece in work:
            name = piece.name or piece.stage or "work"
            end = at + piece.ns + piece.callee_ns
            of_work = "CLIENT" if piece.hop_to else "INTERNAL"
            peer = piece.hop_to if piece.hop_to and not piece.callee_ns else None
            stage = piece.stage or UNATTRIBUTED
            operation = self._operation(piece.service, name, of_work, piece.stage, piece.weak, piece.keys, peer)
            node = self._span(number, entry, at, end, operation, stage, {**piece.attributes, **piece.keys}, "UNSET")
            for event, about in piece.events:
                self.rows["data.events"].append(
                    {
                        "span_no": node,
                        "time_ns": end,
                        "name": event,
                        "attributes": _pairs(about),
                        "dropped_attributes_count": 0,
                    }
                )
            if piece.stage == "inference":
                cost = piece.attributes.get("gen_ai.usage.cost")
                first = piece.attributes.get("ttft_ms")
                first_ns = None if first is None else int(first) * MS
                tokens = {
                    f"{side}_tokens": None if (n := piece.attributes.get(f"gen_ai.usage.{key}")) is None else int(n)
                    for side, key in (
                        ("input", "input_tokens"),
                        ("output", "output_tokens"),
                        ("cached", "cache_read.input_tokens"),
                    )
                }
                self.rows["data.model_calls"].append(
                    {
                        "span_no": node,
                        "request_no": number,
                        "duration_ns": end - at,
                        "on_path_ns": piece.ns,
                        "first_token_ns": first_ns,
                        "writing_ns": None if first_ns is None else end - at - first_ns,
                        **tokens,
                        "model": piece.attributes.get("gen_ai.request.model", said.get("model")),
                        "cost": None if cost is None else float(cost),
                        "may_answer": True,
                        **piece.call,
                    }
                )
                call = self.rows["data.model_calls"][-1]
                if call["first_token_ns"] is not None:
                    self._parts(number, first_token=call["first_token_ns"], writing=call["writing_ns"])
            hop = self._place(piece.hop_to) if piece.hop_to else -1
            self._segment(number, node, at, at + piece.ns, operation, stage, hop)
            times.setdefault(stage, []).append(piece.ns + piece.callee_ns)
            if piece.callee_ns and piece.hop_to:
                callee = self._operation(piece.hop_to, name, "SERVER", None, False, {}, None)
                child = self._span(number, node, at + piece.ns, end, callee, stage, {}, "UNSET")
                self._segment(number, child, at + piece.ns, end, callee, stage, -1)
            at = end
        self._segment(number, entry, at, start + total, entry_operation, UNATTRIBUTED, -1)
        times.setdefault(UNATTRIBUTED, []).append(rest_ns)
        for stage, parts in times.items():
            self.rows["data.stage_time"].append(
                {
                    "request_no": number,
                    "stage_id": self._stage(stage),
                    "stage_ns": sum(parts),
                    "busy_ns": sum(parts),
                    "span_count": len(parts),
                }
            )
        self.rows["requests"].append(
            {
                "request_no": number,
                "trace_id": f"{number + 1:032x}",
                "span_id": f"{entry + 1:016x}",
                "route": route,
                "shape": " | ".join(sorted({piece.name or piece.stage or "work" for piece in work})),
                "service_name": service,
                "start_ns": start,
                "duration_ns": total,
                "user_ns": 0,
                "latency_ns": total - said.get("user_ns", 0),
                "status_code": status,
                "failed": status == "ERROR",
                "entry": "whole",
                "complete": complete,
                "weight": 1.0,
                "span_count": len(self.rows["data.tree"]) - entry,
                "in_flight": 0,
                "source_id": 0,
                **said,
            }
        )
        return number

    def write(self, path: Path) -> Path:
        """Publish the dataset as `path`."""
        operations = [{**row, "operation_id": number} for number, row in enumerate(self._operations.values())]
        for row in operations:
            row["keys"] = list(row["keys"].items())
        with build(path) as connection:

            def insert(relation: str, rows: list[dict[str, Any]], select: str = "*", schema: Any = None) -> None:
                if rows:
                    connection.register("incoming", pa.Table.from_pylist(rows, schema=schema))
                    connection.execute(f"INSERT INTO {relation} BY NAME SELECT {select} FROM incoming")
                    connection.unregister("incoming")

            insert("data.stages", [{"stage_id": i, "stage": stage} for i, stage in enumerate(self.stages)])
            insert("data.places", [{"place_id": i, "place": place} for i, place in enumerate(self.places)])
            insert("operations", operations, schema=_OPERATIONS)
            insert(
                "data.resources", [{"resource_id": 0, "attributes": _pairs({}), "schema_url": ""}], schema=_RESOURCES
            )
            insert(
                "data.scopes",
                [{"scope_id": 0, "name": "", "version": "", "attributes": [], "schema_url": ""}],
                schema=_SCOPES,
            )
            counts = {name: len(self.rows[name]) for name in ("data.spans", "requests")}
            connection.execute(
                "INSERT INTO ingest_report VALUES (0, 'made up', 'none', 0, ?, ?, 0, 0, NULL, [])",
                [counts["data.spans"], counts["requests"]],
            )
            insert("data.spans", self.rows["data.spans"], schema=_SPANS)
            insert("data.events", self.rows["data.events"])
            insert("data.tree", self.rows["data.tree"])
            columns = dict.fromkeys(key for row in self.rows["requests"] for key in row)
            full = [{key: row.get(key) for key in columns} for row in self.rows["requests"]]
            insert("requests", full, "*, make_timestamp_ns(start_ns) AS start_time")
            insert("data.segments", self.rows["data.segments"])
            insert("data.stage_time", self.rows["data.stage_time"])
            calls = self.rows["data.model_calls"]
            told = dict.fromkeys(key for row in calls for key in row)
            insert("data.model_calls", [{key: row.get(key) for key in told} for row in calls])
            insert("data.stage_parts", self.rows["data.stage_parts"])
        return path

    def _operation(
        self,
        service: str,
        name: str,
        kind: str,
        stage: str | None,
        weak: bool,
        keys: Mapping[str, str],
        peer: str | None,
    ) -> int:
        self._place(service)
        if peer:
            self._place(peer)
            keys = {**keys, "server.address": peer}
        identity = (service, name, kind, stage, weak, tuple(sorted(keys.items())), peer)
        row = self._operations.setdefault(
            identity,
            {
                "service_name": service,
                "scope_name": "",
                "name": name,
                "kind": kind,
                "stage": stage,
                "weak": weak,
                "rule": None,
                "span_count": 0,
                "peer": peer,
                "keys": dict(keys),
            },
        )
        row["span_count"] += 1
        return list(self._operations).index(identity)

    def _place(self, place: str) -> int:
        if place not in self.places:
            self.places.append(place)
        return self.places.index(place)

    def _stage(self, stage: str) -> int:
        return self.stages.index(stage)

    def _parts(self, request: int, **parts: int) -> None:
        """Add to the parts of a request's inference."""
        for part, ns in parts.items():
            key = {"request_no": request, "stage_id": self._stage("inference"), "part": part}
            rows = self.rows["data.stage_parts"]
            known = next((row for row in rows if row.items() >= key.items()), None)
            if known is None:
                rows.append({**key, "part_ns": ns})
            else:
                known["part_ns"] += ns

    def _span(
        self,
        request: int,
        parent: int,
        start: int,
        end: int,
        operation: int,
        stage: str,
        attributes: Mapping[str, str],
        status: str,
    ) -> int:
        node = len(self.rows["data.tree"])
        self.rows["data.spans"].append(
            {
                "span_no": node,
                "trace_id": f"{request + 1:032x}",
                "span_id": f"{node + 1:016x}",
                "parent_span_id": f"{parent + 1:016x}" if parent >= 0 else None,
                "trace_state": "",
                "flags": 0,
                "operation_id": operation,
                "resource_id": 0,
                "scope_id": 0,
                "source_id": 0,
                "start_ns": start,
                "end_ns": end,
                "status_code": status,
                "status_message": "",
                "attributes": _pairs(attributes),
                "dropped_attributes_count": 0,
                "dropped_events_count": 0,
                "dropped_links_count": 0,
            }
        )
        self.rows["data.tree"].append(
            {
                "node": node,
                "span_no": node,
                "trace_no": request,
                "parent": parent,
                "start_ns": start,
                "end_ns": end,
                "operation_id": operation,
                "request_no": request,
                "stage_id": self._stage(stage),
            }
        )
        return node

    def _segment(self, request: int, node: int, start: int, end: int, operation: int, stage: str, hop: int) -> None:
        if end > start:
            self.rows["data.segments"].append(
                {
                    "request_no": request,
                    "span_no": node,
                    "start_ns": start,
                    "end_ns": end,
                    "operation_id": operation,
                    "hop_to_id": hop,
                    "stage_id": self._stage(stage),
                    "awaited": True,
                    "while_running": -1,
                }
            )


def _pairs(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in attributes.items()]


_PAIRS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
_RESOURCES = pa.schema([("resource_id", pa.int32()), ("attributes", _PAIRS), ("schema_url", pa.string())])
_SCOPES = pa.schema(
    [
        ("scope_id", pa.int32()),
        ("name", pa.string()),
        ("version", pa.string()),
        ("attributes", _PAIRS),
        ("schema_url", pa.string()),
    ]
)
_SPANS = pa.schema(
    [
        ("span_no", pa.int32()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("parent_span_id", pa.string()),
        ("trace_state", pa.string()),
        ("flags", pa.int64()),
        ("operation_id", pa.int32()),
        ("resource_id", pa.int32()),
        ("scope_id", pa.int32()),
        ("source_id", pa.int16()),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),
        ("status_code", pa.string()),
        ("status_message", pa.string()),
        ("attributes", _PAIRS),
        ("dropped_attributes_count", pa.int64()),
        ("dropped_events_count", pa.int64()),
        ("dropped_links_count", pa.int64()),
    ]
)
_OPERATIONS = pa.schema(
    [
        ("operation_id", pa.int32()),
        ("service_name", pa.string()),
        ("scope_name", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("stage", pa.string()),
        ("weak", pa.bool_()),
        ("rule", pa.string()),
        ("span_count", pa.int64()),
        ("peer", pa.string()),
        ("keys", pa.map_(pa.string(), pa.string())),
    ]
)
