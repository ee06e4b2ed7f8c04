"""A run in Parquet and CSV yields what the same run yields in OTLP; what is no table of spans is named."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from overbudget.ingest.pipeline import ingest
from overbudget.sample_traces.writing import json_lines
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.export import export_parquet
from tests.ingest.formats.test_exports import NO_KIND, NO_SERVICE, answers, clickhouse, phoenix_rows, run, same_run

__all__ = ["same_run"]  # a fixture
TEXT_MAP = pa.map_(pa.string(), pa.string())
NANOSECONDS = pa.timestamp("ns", "UTC")


def own_export(folder: Path) -> Path:
    (folder / "run.jsonl").write_bytes(json_lines(run()))
    ingest([folder / "run.jsonl"], folder / "first.duckdb")
    export_parquet(folder / "first.duckdb", folder / "export")
    return folder / "export" / "spans.parquet"


def clickhouse_parquet(folder: Path, strings: pa.DataType = TEXT_MAP.key_type) -> Path:
    """SELECT * FROM otel_traces FORMAT Parquet."""
    rows = [json.loads(line) for line in clickhouse(run()).splitlines()]
    kinds = {"Timestamp": NANOSECONDS, "Duration": pa.uint64(), "Events.Timestamp": pa.list_(NANOSECONDS),
             "Events.Name": pa.list_(strings), "Events.Attributes": pa.list_(TEXT_MAP), "Links.TraceId": pa.list_(strings),
             "Links.SpanId": pa.list_(strings), "Links.TraceState": pa.list_(strings), "Links.Attributes": pa.list_(TEXT_MAP),
             "SpanAttributes": TEXT_MAP, "ResourceAttributes": TEXT_MAP}  # fmt: skip
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name == "Timestamp":
            values = [pd.Timestamp(value, tz="UTC") for value in values]
        elif name == "Events.Timestamp":
            values = [[pd.Timestamp(one, tz="UTC") for one in value] for value in values]
        elif name == "Duration":
            values = [int(value) for value in values]
        elif name in ("SpanAttributes", "ResourceAttributes"):
            values = [list(value.items()) for value in values]
        elif name.endswith(".Attributes"):
            values = [[list(one.items()) for one in value] for value in values]
        columns[name] = pa.array(values, kinds.get(name, strings))
    pq.write_table(pa.table(columns), folder / "otel_traces.parquet")
    return folder / "otel_traces.parquet"


def clickhouse_bytes(folder: Path) -> Path:
    """The same with texts as bytes, as older versions of ClickHouse write them."""
    return clickhouse_parquet(folder, pa.binary())


def phoenix_frame() -> pd.DataFrame:
    """get_spans_dataframe(): times as timestamps, counts with gaps as doubles."""
    frame = pd.DataFrame(json.loads(phoenix_rows(run())))
    for name in ("start_time", "end_time"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    return frame.set_index("context.span_id", drop=False)


def phoenix_parquet(folder: Path) -> Path:
    phoenix_frame().to_parquet(folder / "spans.parquet")
    return folder / "spans.parquet"


def phoenix_packed(folder: Path) -> Path:
    (folder / "spans.parquet.gz").write_bytes(gzip.compress(phoenix_parquet(folder).read_bytes()))
    return folder / "spans.parquet.gz"


def phoenix_csv(folder: Path) -> Path:
    phoenix_frame().to_csv(folder / "spans.csv", index=False)
    return folder / "spans.csv"


TABLES: dict[str, tuple[Callable[[Path], Path], str, set[str]]] = {
    "our own export": (own_export, "Parquet written by overbudget export", set()),
    "ClickHouse": (clickhouse_parquet, "ClickHouse rows of otel_traces, Parquet", set()),
    "ClickHouse with bytes": (clickhouse_bytes, "ClickHouse rows of otel_traces, Parquet", set()),
    "Phoenix": (phoenix_parquet, "Arize Phoenix, Parquet", {NO_KIND, NO_SERVICE}),
    "Phoenix in gzip": (phoenix_packed, "Arize Phoenix, Parquet", {NO_KIND, NO_SERVICE}),
    "Phoenix as CSV": (phoenix_csv, "Arize Phoenix, CSV", {NO_KIND, NO_SERVICE}),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_run_is_the_same_in_every_table(what: str, same_run: Path, tmp_path: Path) -> None:
    make, name, lacking = TABLES[what]
    result = ingest([make(tmp_path)], tmp_path / "d.duckdb")
    assert result.files[0].format == name
    assert (result.spans, result.requests, result.files[0].rejected) == (8, 2, 0)
    assert answers(tmp_path / "d.duckdb", lacking) == answers(same_run, lacking)


def test_an_export_that_is_read_again_is_exported_the_same(tmp_path: Path) -> None:
    spans = own_export(tmp_path)
    ingest([spans], tmp_path / "second.duckdb")
    export_parquet(tmp_path / "second.duckdb", tmp_path / "again")
    for relation in ("spans", "requests", "critical_path", "stage_time", "span_events", "operations"):
        first, second = (pq.read_table(tmp_path / folder / f"{relation}.parquet") for folder in ("export", "again"))
        keep = [name for name in first.schema.names if name not in ("source", "operation_id")]
        assert sorted(map(repr, first.select(keep).to_pylist())) == sorted(map(repr, second.select(keep).to_pylist()))


def test_an_export_without_its_events_says_so(tmp_path: Path) -> None:
    spans = own_export(tmp_path)
    (spans.parent / "span_events.parquet").unlink()
    result = ingest([spans], tmp_path / "d.duckdb")
    assert result.spans == 8
    assert "span_events.parquet" in result.files[0].warnings["events_missing"].example


def test_spans_that_stand_for_missing_parents_are_not_taken_for_spans(tmp_path: Path) -> None:
    lost = [span for span in run() if span.parent is not None]
    (tmp_path / "run.jsonl").write_bytes(json_lines(lost))
    ingest([tmp_path / "run.jsonl"], tmp_path / "first.duckdb")
    export_parquet(tmp_path / "first.duckdb", tmp_path / "export")
    result = ingest([tmp_path / "export" / "spans.parquet"], tmp_path / "d.duckdb")
    assert (result.spans, result.requests) == (6, 2)
    complete = open_dataset(tmp_path / "d.duckdb").execute("SELECT bool_or(complete) FROM requests").fetchall()
    assert complete == [(False,)]


def test_a_whole_export_folder_is_its_spans_once(tmp_path: Path) -> None:
    result = ingest([own_export(tmp_path).parent], tmp_path / "d.duckdb")
    assert result.spans == 8


def test_counts_in_decimals_are_counts(tmp_path: Path) -> None:
    rows = phoenix_frame().head(2)
    table = pa.Table.from_pandas(
        rows.drop(columns=[name for name in rows.columns if "token" in name]), preserve_index=False
    )
    for name, counts in (("prompt", pa.decimal128(10, 0)), ("completion", pa.decimal128(10, 2))):
        table = table.append_column(f"attributes.llm.token_count.{name}", pa.array([Decimal(7), Decimal(8)], counts))
    table = table.append_column("attributes.llm.model_name", pa.array(["m", "m"]))
    pq.write_table(
        table.set_column(table.schema.get_field_index("span_kind"), "span_kind", pa.array(["LLM"] * 2)),
        tmp_path / "x.parquet",
    )
    result = ingest([tmp_path / "x.parquet"], tmp_path / "d.duckdb")
    assert "unusable_number" not in result.files[0].warnings
    found = (
        open_dataset(tmp_path / "d.duckdb").execute("SELECT input_tokens, output_tokens FROM model_calls").fetchall()
    )
    assert sorted(found) == [(7, 7), (8, 8)]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1], "b": ["x"]}, "its columns are a, b"),
        ({"ph": ["X"], "ts": [1.0], "pid": [1], "name": ["x"]}, "is a Chrome trace"),
    ],
)
def test_a_parquet_file_without_spans_is_named(columns: dict[str, list[object]], said: str, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(OverbudgetError, match=said):
        ingest([tmp_path / "x.parquet"], tmp_path / "d.duckdb")


@pytest.mark.parametrize("size", [200_000, 600_000])
@pytest.mark.parametrize("last", [True, False])
def test_a_csv_with_a_long_prompt_among_its_first_rows_is_recognised(size: int, last: bool, tmp_path: Path) -> None:
    """A prompt longer than csv reads in one field unless told, and one longer than what is looked at to recognise a file."""
    frame = phoenix_frame().reset_index(drop=True)
    frame.insert(
        len(frame.columns) if last else 0, "attributes.input.value", ["p " * (size // 2)] + ["q"] * (len(frame) - 1)
    )
    frame.to_csv(tmp_path / "spans.csv", index=False)
    result = ingest([tmp_path / "spans.csv"], tmp_path / "d.duckdb")
    assert (result.files[0].format, result.spans) == ("Arize Phoenix, CSV", 8)


def test_another_relation_of_an_export_leads_to_the_spans(tmp_path: Path) -> None:
    with pytest.raises(OverbudgetError, match=r"spans\.parquet beside it"):
        ingest([own_export(tmp_path).parent / "requests.parquet"], tmp_path / "d.duckdb")
