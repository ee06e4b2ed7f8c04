"""docs/sql.md, made from app/dashboard/cookbook.py."""

from overbudget.app.dashboard.cookbook import COOKBOOK

HEAD = """# Asking a dataset in SQL

A dataset is one DuckDB file. Any DuckDB client reads it: `overbudget sql DATASET "SELECT …"`, the dashboard's SQL page,
or `duckdb.connect("traces.duckdb", read_only=True)` in a notebook. Several may read it at the same time.

| relation | one row per |
| --- | --- |
| `spans` | span, with its attributes as a map: `attributes['tenant']` |
| `span_events`, `span_links` | event or link of a span |
| `operations` | operation: service, scope, name and kind, with its stage and the rule that gave it |
| `requests` | request: route, latency, model, tokens, time to first token, score, requests in flight on arrival |
| `critical_path` | segment of a request's critical path; the segments of a request sum to its duration |
| `stage_time`, `stage_parts` | request and stage; and its parts: first token and writing of inference |
| `model_calls` | model call: tokens, first token, writing, queue, its part of the critical path |
| `ingest_report` | dump file, with every warning that was found in it |

Times are integers in ns; `start_time` and `end_time` are timestamps in UTC. [reference/relations.md](reference/relations.md) has
every column, and so has the dataset: `SELECT table_name, column_name, comment FROM duckdb_columns()`.

The same relations are Parquet files after `overbudget export DATASET --parquet DIR`: write `'DIR/requests.parquet'` instead of
`requests`. Your own table joins like any other: `SELECT … FROM requests JOIN read_csv('tenants.csv') USING (tenant)` (in a notebook
or DuckDB's own shell; the dashboard and `overbudget sql` have no access to files).

The queries below are made from app/dashboard/cookbook.py, and each is run by a test.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {title}\n\n```sql\n{query}\n```\n" for title, query in COOKBOOK.items())
