"""Which answers were good, by the score the budget file names."""

import duckdb
import numpy as np
import numpy.typing as npt

from overbudget.analysis.budget.model import Good
from overbudget.analysis.requests.table import BAD, GOOD, I8, I32, UNKNOWN, RequestTable
from overbudget.kernels.arrow import numbers, row_of
from overbudget.stages.attribute_keys import NAMED_SCORE_KEY

# An evaluation has its name and its score on the same span or event (OpenTelemetry's gen_ai conventions: ….name and
# ….score.value; OpenInference: evaluations.0.evaluation.name and ….score); else the score is an attribute with the
# budget's name for it, or with that name after a prefix (Langfuse).
_NAMED = r"""
WITH said AS (
    SELECT span_no, start_ns AS time_ns, attributes FROM data.spans
    UNION ALL SELECT span_no, coalesce(time_ns, 0), attributes FROM data.events
), naming AS (
    SELECT *, list_filter(attributes, lambda x: x.value = $name AND regexp_matches(x.key, '(evaluation|annotation)\.name$'))[1].key
        AS name_key
    FROM said WHERE len(list_filter(attributes, lambda x: x.value = $name OR contains(x.key, $name))) > 0
)
SELECT span_no, time_ns, try_cast(coalesce(
    list_filter(attributes, lambda x: x.key = regexp_replace(name_key, 'name$',
        if(name_key = 'gen_ai.evaluation.name', 'score.value', 'score')))[1].value,
    list_filter(attributes, lambda x: x.key = $name OR regexp_extract(x.key, $named, 1) = $name)[1].value) AS DOUBLE) AS score
FROM naming
"""


def judge_answers(
    connection: duckdb.DuckDBPyConnection, good: Good, table: RequestTable
) -> tuple[npt.NDArray[np.bool_], I8]:
    """Per row of `table`: whether its answer has the score that `good` names, and GOOD, BAD or UNKNOWN.

    Of several scores of one request the latest counts. Without a name any recorded score counts, and where there is none,
    the recorded label.
    """
    scored, verdicts = np.zeros(len(table), bool), np.full(len(table), UNKNOWN, np.int8)
    rows: I32
    if good.name is None:
        scored, verdicts = table.scored.copy(), table.good.copy()
        known = ~np.isnan(table.score)
        rows, value = np.flatnonzero(known).astype(np.int32), table.score[known]
    else:
        found = connection.sql(
            f"SELECT node, request_no, score FROM ({_NAMED}) JOIN data.tree USING (span_no) "
            "WHERE score IS NOT NULL ORDER BY time_ns, span_no",
            params={"name": good.name, "named": NAMED_SCORE_KEY},
        ).to_arrow_table()
        request = numbers(found["request_no"])
        if table.request_of_node is not None:
            request = table.request_of_node[numbers(found["node"])]
        rows, value = row_of(table.request_no, request), numbers(found["score"])
        rows, value = rows[rows >= 0], value[rows >= 0]
    passed = np.ones(len(value), bool)
    if good.at_least is not None:
        passed &= value >= good.at_least
    if good.at_most is not None:
        passed &= value <= good.at_most
    scored[rows] = True
    verdicts[rows] = np.where(passed, GOOD, BAD)  # of several scores of one request the last assigned stays
    return scored, verdicts
