-- How long did each model call take, and how many tokens did it read and write?
-- One row per model call of a request: if several nested or duplicate spans record one call, the outermost that records
-- tokens. Where it lacks a fact, the spans inside it are used.
CREATE VIEW model_calls AS
SELECT r.trace_id, r.span_id AS request_span_id, s.span_id, o.service_name, c.model, c.provider,
    make_timestamp_ns(t.start_ns) AS start_time, c.duration_ns, c.on_path_ns, c.queue_ns, c.first_token_ns, c.writing_ns,
    c.prefill_ns, c.decode_ns, c.input_tokens, c.cached_tokens, c.cache_write_tokens, c.output_tokens, c.reasoning_tokens,
    c.cost, s.status_code, f.span_id AS retry_of, c.may_answer
FROM data.model_calls c
JOIN requests r USING (request_no)
JOIN data.spans s ON s.span_no = c.span_no
JOIN data.tree t ON t.span_no = c.span_no
JOIN operations o ON o.operation_id = s.operation_id
LEFT JOIN data.spans f ON f.span_no = c.retry_of;
COMMENT ON VIEW model_calls IS 'One row per model call of a request, by the default rules; if several spans record one call, the outermost that records tokens';
COMMENT ON COLUMN model_calls.trace_id IS 'Trace id of the request';
COMMENT ON COLUMN model_calls.request_span_id IS 'Span id of the request''s entry span';
COMMENT ON COLUMN model_calls.span_id IS 'Span id of the call';
COMMENT ON COLUMN model_calls.service_name IS 'Service that makes the call';
COMMENT ON COLUMN model_calls.model IS 'The model that answered, or that was asked; NULL where not recorded';
COMMENT ON COLUMN model_calls.provider IS 'Provider that serves it; NULL where not recorded';
COMMENT ON COLUMN model_calls.start_time IS 'Start of the call, UTC, on the adjusted clock';
COMMENT ON COLUMN model_calls.duration_ns IS 'From the start of the call to its end in ns, wait in a queue included';
COMMENT ON COLUMN model_calls.on_path_ns IS 'Time of the call on the critical path in ns: in inference, or in its server''s queue';
COMMENT ON COLUMN model_calls.queue_ns IS 'Wait in the server''s queue in ns; NULL where not recorded';
COMMENT ON COLUMN model_calls.first_token_ns IS 'From the start of the call to its first token in ns, wait in a queue included; NULL where not recorded';
COMMENT ON COLUMN model_calls.writing_ns IS 'From the first token to the end of the call in ns, without tools that it waits for; NULL where no first token is recorded';
COMMENT ON COLUMN model_calls.prefill_ns IS 'How long the server worked on the prompt in ns; NULL where not recorded';
COMMENT ON COLUMN model_calls.decode_ns IS 'How long the server wrote the answer in ns; NULL where not recorded';
COMMENT ON COLUMN model_calls.input_tokens IS 'Input tokens, those from the provider''s cache included; NULL where not recorded';
COMMENT ON COLUMN model_calls.cached_tokens IS 'Input tokens read from the provider''s cache; NULL where not recorded';
COMMENT ON COLUMN model_calls.cache_write_tokens IS 'Input tokens written to the provider''s cache; NULL where not recorded';
COMMENT ON COLUMN model_calls.output_tokens IS 'Output tokens, those spent on reasoning included; NULL where not recorded';
COMMENT ON COLUMN model_calls.reasoning_tokens IS 'Output tokens spent on reasoning; NULL where not recorded';
COMMENT ON COLUMN model_calls.cost IS 'Cost as the framework recorded it, usually in US dollars; NULL where not recorded';
COMMENT ON COLUMN model_calls.status_code IS 'Status of the call: UNSET, OK or ERROR';
COMMENT ON COLUMN model_calls.retry_of IS 'Span id of the failed call that this one retries; NULL where it is not a retry';
COMMENT ON COLUMN model_calls.may_answer IS 'Whether what it writes may be the request''s answer: false for a turn that calls tools, a guard and an evaluation';
