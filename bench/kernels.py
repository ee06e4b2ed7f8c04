"""Seconds for trees, critical path and stages of a dataset's spans, kernels loaded: python -m bench.kernels DATASET."""

import sys

from bench.measure import best
from overbudget.ingest.derive.parts import SPAN_COLUMNS, columns_of
from overbudget.kernels.columns import SpanColumns
from overbudget.kernels.critical_path import critical_path
from overbudget.kernels.span_tree import build_tree, find_requests
from overbudget.stages.assign import stage_of_nodes, stage_times
from overbudget.stages.operation_table import catalogue_of
from overbudget.store.dataset import open_dataset


def main() -> None:
    connection = open_dataset(sys.argv[1])
    operations = connection.sql("FROM operations ORDER BY operation_id").to_arrow_table()
    catalogue = catalogue_of(operations)
    spans = columns_of(connection.sql(f"SELECT {SPAN_COLUMNS} FROM data.spans").to_arrow_table())

    def everything(columns: SpanColumns = spans) -> None:
        tree, _ = build_tree(columns, catalogue.columns)
        requests, request_of = find_requests(tree, catalogue.columns)
        segments = critical_path(tree, requests, catalogue.columns, request_of)
        stage_of = stage_of_nodes(tree, catalogue.columns, len(catalogue.stages) - 1)
        stage_times(tree, requests, request_of, segments, stage_of, len(catalogue.stages))

    everything()
    print(best(3, everything))


if __name__ == "__main__":
    main()
