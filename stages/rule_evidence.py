"""Rules about attributes that operations do not record: the spans are asked, and operations split accordingly."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from overbudget.kernels.arrow import coded, numbers, row_of
from overbudget.kernels.columns import I32, I64
from overbudget.stages.attribute_keys import CLASSIFY_KEYS
from overbudget.stages.classify import needs_evidence
from overbudget.stages.rules import Rule, as_recorded, pattern


@dataclass(frozen=True)
class Recorded:
    """Which spans have an attribute: `value[i]` is the index into `values` of the value of span `span_no[i]`, "" for every
    value that no rule names."""

    attribute: str
    values: tuple[str, ...]
    span_no: I32
    value: I32


@dataclass(frozen=True)
class Split:
    """Operations split by attributes: `operation` has the new operation of each node; new operation j comes from
    `original[j]` and has the attributes `evidence[j]`."""

    operation: I32
    original: I64
    evidence: list[dict[str, str | None]]


def ask_spans(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[Recorded]:
    """For each attribute that `rules` use and operations do not record: which spans have it. For each name pattern: which
    spans match it by their recorded name, but not by their operation's name."""
    found = _names_as_recorded(connection, rules)
    for attribute in needs_evidence(rules, tuple(CLASSIFY_KEYS)):
        about = [rule for rule in rules if rule.attribute == attribute]
        named = sorted({value for rule in about for value in rule.equals})
        rows = connection.sql(
            """SELECT span_no, CASE WHEN list_contains($named, value) THEN value ELSE '' END AS value
               FROM (SELECT span_no, entry.key AS key, entry.value AS value
                     FROM (SELECT span_no, unnest(attributes) AS entry FROM data.spans))
               WHERE key = $attribute AND ($any OR list_contains($named, value))""",
            params={"named": named, "attribute": attribute, "any": any(not rule.equals for rule in about)},
        ).to_arrow_table()
        values = coded(rows["value"])
        found.append(Recorded(attribute, values.names, numbers(rows["span_no"]), values.codes))
    return found


def split_operations(operation: I32, span_no: I32, recorded: Sequence[Recorded]) -> Split:
    """`operation` and `span_no` are per node; spans of one operation that differ in what is `recorded` get different operations."""
    key = operation.astype(np.int64)
    for attribute in recorded:
        there = np.zeros(len(operation), np.int64)
        node = row_of(span_no, attribute.span_no)
        there[node[node >= 0]] = attribute.value[node >= 0] + 1
        key = key * (len(attribute.values) + 1) + there
    distinct, inverse = np.unique(key, return_inverse=True)
    evidence: list[dict[str, str | None]] = [{} for _ in distinct]
    original = distinct
    for attribute in reversed(recorded):
        original, there = np.divmod(original, len(attribute.values) + 1)
        for row in np.flatnonzero(there).tolist():
            evidence[row][attribute.attribute] = attribute.values[there[row] - 1]
    return Split(inverse.astype(np.int32), original, evidence)


def _names_as_recorded(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[Recorded]:
    found = []
    for glob in sorted({rule.name for rule in rules if rule.name is not None}):
        rows = connection.sql(
            """SELECT s.span_no FROM data.spans s JOIN operations o USING (operation_id)
               WHERE s.name IS NOT NULL AND regexp_full_match(s.name, $pattern, 's')
                   AND NOT regexp_full_match(o.name, $pattern, 's') ORDER BY s.span_no""",
            params={"pattern": pattern(glob).pattern},
        ).to_arrow_table()
        if rows.num_rows:
            found.append(
                Recorded(as_recorded(glob), ("",), numbers(rows["span_no"]), np.zeros(rows.num_rows, np.int32))
            )
    return found
