"""Example queries: on the SQL page, in docs/sql.md and in the notebook, each run by a test."""

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
    "Model calls: first token, pace and tokens": """SELECT model, count(*) AS calls, round(median(first_token_ns) / 1e6) AS first_token_p50_ms,
    round(quantile_cont(first_token_ns, 0.95) / 1e6) AS first_token_p95_ms,
    round(median(writing_ns / (output_tokens - 1)) FILTER (output_tokens > 1) / 1e6, 1) AS ms_per_output_token,
    round(median(input_tokens)) AS input_tokens, round(median(output_tokens)) AS output_tokens
FROM model_calls GROUP BY model ORDER BY calls DESC""",
    "Model calls: the first token against uncached prompt tokens": """SELECT model,
    ((input_tokens - coalesce(cached_tokens, 0)) // 1000 + 1) * 1000 AS uncached_tokens_up_to,
    count(*) AS calls, round(median(first_token_ns) / 1e6) AS first_token_ms
FROM model_calls WHERE first_token_ns IS NOT NULL AND input_tokens IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "Model calls: what a cached prompt saves": """SELECT model, coalesce(cached_tokens, 0) > input_tokens / 2 AS mostly_cached, count(*) AS calls,
    round(median(first_token_ns) / 1e6) AS first_token_ms, round(median(input_tokens)) AS input_tokens
FROM model_calls WHERE input_tokens > 0 AND first_token_ns IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "Model calls: what a millisecond per output token amounts to": """SELECT model, round(regr_slope(writing_ns, output_tokens) / 1e6, 2) AS ms_per_output_token,
    round(regr_r2(writing_ns, output_tokens), 3) AS share_explained, count(*) AS calls
FROM model_calls WHERE writing_ns IS NOT NULL AND output_tokens IS NOT NULL GROUP BY model HAVING calls >= 20 ORDER BY calls DESC""",
    "Model calls a request makes": """WITH made AS (
    SELECT trace_id, request_span_id, count(*) AS calls, sum(on_path_ns) AS model_ns
    FROM model_calls WHERE retry_of IS NULL OR retry_of = '' GROUP BY ALL
)
SELECT calls, count(*) AS requests, round(median(r.latency_ns) / 1e6) AS p50_ms, round(median(model_ns) / 1e6) AS of_it_models_ms
FROM made JOIN requests r ON r.trace_id = made.trace_id AND r.span_id = made.request_span_id GROUP BY calls ORDER BY calls""",
    "Prompts that grow from call to call": """WITH turns AS (
    SELECT trace_id, request_span_id, input_tokens, cached_tokens, first_token_ns,
        row_number() OVER (PARTITION BY trace_id, request_span_id ORDER BY start_time) AS call
    FROM model_calls WHERE input_tokens IS NOT NULL
)
SELECT call, count(*) AS requests, round(median(input_tokens)) AS input_tokens, round(median(cached_tokens)) AS cached_tokens,
    round(median(first_token_ns) / 1e6) AS first_token_ms
FROM turns GROUP BY call ORDER BY call LIMIT 20""",
    "Model calls: failed ones, and what they cost": """SELECT model, count(*) FILTER (status_code = 'ERROR') AS failed, round(100.0 * failed / count(*), 1) AS percent,
    round(sum(duration_ns) FILTER (status_code = 'ERROR') / 1e6) AS ms_lost, count(*) FILTER (retry_of <> '') AS retries
FROM model_calls GROUP BY model ORDER BY failed DESC""",
    "Model calls nobody waits for": """SELECT service_name, model, count(*) AS calls, round(100.0 * count(*) FILTER (on_path_ns = 0) / count(*), 1) AS percent_off_the_path,
    round(sum(duration_ns - on_path_ns) / 1e6) AS ms_beside_the_path
FROM model_calls GROUP BY ALL ORDER BY ms_beside_the_path DESC""",
    "Waiting in the model server's queue": """SELECT model, time_bucket(INTERVAL 1 MINUTE, start_time) AS minute, count(*) AS calls,
    round(median(queue_ns) / 1e6) AS queue_p50_ms, round(max(queue_ns) / 1e6) AS longest_ms
FROM model_calls WHERE queue_ns IS NOT NULL GROUP BY ALL ORDER BY longest_ms DESC LIMIT 20""",
    "Tokens and cost by route": """SELECT r.route, c.model, count(*) AS calls, sum(c.input_tokens) AS input_tokens, sum(c.output_tokens) AS output_tokens,
    round(100.0 * sum(c.cached_tokens) / nullif(sum(c.input_tokens), 0), 1) AS cached_percent, round(sum(c.cost), 4) AS cost
FROM model_calls c JOIN requests r ON r.trace_id = c.trace_id AND r.span_id = c.request_span_id
GROUP BY ALL ORDER BY input_tokens DESC""",
    "Warnings about the dumps": """SELECT source, unnest(warnings, recursive := true) FROM ingest_report""",
}
