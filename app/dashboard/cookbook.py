"""Example queries: on the SQL page, in docs/cookbook.md and in the notebook, each run by a test."""

COOKBOOK: dict[str, str] = {
    "Percentiles by route": """SELECT route, count(*) AS requests,
    round(quantile_cont(duration_ns, 0.50) / 1e6) AS p50_ms,
    round(quantile_cont(duration_ns, 0.95) / 1e6) AS p95_ms,
    round(quantile_cont(duration_ns, 0.99) / 1e6) AS p99_ms
FROM requests WHERE complete GROUP BY route ORDER BY p95_ms DESC""",
    "Percentiles by model and hour": """SELECT time_bucket(INTERVAL 1 HOUR, start_time) AS hour, model, count(*) AS requests,
    round(quantile_cont(duration_ns, 0.50) / 1e6) AS p50_ms, round(quantile_cont(duration_ns, 0.95) / 1e6) AS p95_ms
FROM requests WHERE complete GROUP BY ALL ORDER BY hour, model""",
    "Where the time goes on the critical path": """SELECT stage, service_name, hop_to,
    round(sum(duration_ns) / 1e6 / (SELECT count(*) FROM requests), 1) AS ms_per_request
FROM critical_path GROUP BY ALL ORDER BY ms_per_request DESC LIMIT 20""",
    "Slowest operation per tenant": """WITH timed AS (
    SELECT s.attributes['tenant'] AS tenant, s.name, count(*) AS calls,
        round(quantile_cont(s.duration_ns, 0.95) / 1e6) AS p95_ms
    FROM spans s WHERE s.attributes['tenant'] IS NOT NULL GROUP BY ALL
)
SELECT tenant, arg_max(name, p95_ms) AS operation, max(p95_ms) AS p95_ms, arg_max(calls, p95_ms) AS calls
FROM timed GROUP BY tenant ORDER BY p95_ms DESC""",
    "Requests whose tools queue": """WITH tools AS (
    SELECT trace_id, parent_span_id, name, start_ns, end_ns,
        lag(end_ns) OVER (PARTITION BY trace_id, parent_span_id ORDER BY start_ns) AS previous_end
    FROM spans JOIN operations USING (operation_id, name) WHERE stage = 'tools' AND NOT weak
)
SELECT trace_id, count(*) AS tools, round(sum(end_ns - start_ns) / 1e6) AS tool_ms
FROM tools GROUP BY ALL HAVING count(*) > 1 AND bool_and(previous_end IS NULL OR previous_end <= start_ns)
ORDER BY tool_ms DESC LIMIT 20""",
    "Cached input tokens by model": """SELECT model, sum(input_tokens) AS input_tokens, sum(cached_tokens) AS cached_tokens,
    round(100.0 * sum(cached_tokens) / nullif(sum(input_tokens), 0), 1) AS cached_percent
FROM requests GROUP BY model ORDER BY input_tokens DESC""",
    "How often the same thing is looked up": """SELECT s.name, s.attributes['input.value'] AS input, count(*) AS calls,
    round(sum(s.duration_ns) / 1e6) AS ms
FROM spans s JOIN operations USING (operation_id) WHERE stage = 'retrieval' AND input IS NOT NULL
GROUP BY ALL ORDER BY calls DESC LIMIT 20""",
    "Time to first token against tokens": """SELECT model, (input_tokens // 500 + 1) * 500 AS input_tokens_up_to, count(*) AS requests,
    round(median(ttft_ns) / 1e6) AS first_token_ms
FROM requests WHERE ttft_ns IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "Latency of good answers": """SELECT good, count(*) AS requests, round(median(duration_ns) / 1e6) AS p50_ms,
    round(quantile_cont(duration_ns, 0.95) / 1e6) AS p95_ms
FROM requests WHERE good IS NOT NULL GROUP BY good""",
    "Latency against requests in flight": """SELECT in_flight, count(*) AS requests, round(median(duration_ns) / 1e6) AS p50_ms
FROM requests GROUP BY in_flight ORDER BY in_flight""",
    "Errors, and what they cost": """SELECT name, status_message, count(*) AS failures, round(sum(duration_ns) / 1e6) AS ms
FROM spans WHERE status_code = 'ERROR' GROUP BY ALL ORDER BY failures DESC LIMIT 20""",
    "What no stage explains": """SELECT route, round(100.0 * sum(stage_ns) / (SELECT sum(duration_ns) FROM requests), 1) AS percent_of_all_time
FROM stage_time WHERE stage = 'unattributed' GROUP BY route ORDER BY percent_of_all_time DESC""",
    "Warnings about the dumps": """SELECT source, unnest(warnings, recursive := true) FROM ingest_report""",
}
