-- Model calls as they are stored. Query the view model_calls instead.
CREATE TABLE data.model_calls (
    span_no INTEGER NOT NULL, request_no INTEGER NOT NULL, duration_ns BIGINT NOT NULL, on_path_ns BIGINT NOT NULL,
    queue_ns BIGINT, first_token_ns BIGINT, writing_ns BIGINT, prefill_ns BIGINT, decode_ns BIGINT,
    model VARCHAR, provider VARCHAR, input_tokens BIGINT, cached_tokens BIGINT, cache_write_tokens BIGINT, output_tokens BIGINT,
    reasoning_tokens BIGINT, cost DOUBLE, retry_of INTEGER, may_answer BOOLEAN NOT NULL
);
COMMENT ON TABLE data.model_calls IS 'One row per model call of a request; the view model_calls is the one to query';
COMMENT ON COLUMN data.model_calls.span_no IS 'The call''s span';
COMMENT ON COLUMN data.model_calls.request_no IS 'The request';
COMMENT ON COLUMN data.model_calls.duration_ns IS 'From the call''s start to its end in ns';
COMMENT ON COLUMN data.model_calls.on_path_ns IS 'Its time on the critical path in ns';
COMMENT ON COLUMN data.model_calls.queue_ns IS 'Wait in the server''s queue in ns';
COMMENT ON COLUMN data.model_calls.first_token_ns IS 'From the call''s start to its first token in ns';
COMMENT ON COLUMN data.model_calls.writing_ns IS 'From the first token to the call''s end in ns, without the tools it waits for';
COMMENT ON COLUMN data.model_calls.prefill_ns IS 'Time the server spent on the prompt in ns';
COMMENT ON COLUMN data.model_calls.decode_ns IS 'Time the server spent on writing in ns';
COMMENT ON COLUMN data.model_calls.model IS 'The model';
COMMENT ON COLUMN data.model_calls.provider IS 'Provider that serves it';
COMMENT ON COLUMN data.model_calls.input_tokens IS 'Input tokens, those from the cache included';
COMMENT ON COLUMN data.model_calls.cached_tokens IS 'Input tokens read from the provider''s cache';
COMMENT ON COLUMN data.model_calls.cache_write_tokens IS 'Input tokens written to the provider''s cache';
COMMENT ON COLUMN data.model_calls.output_tokens IS 'Output tokens';
COMMENT ON COLUMN data.model_calls.reasoning_tokens IS 'Output tokens spent on reasoning';
COMMENT ON COLUMN data.model_calls.cost IS 'Cost as recorded';
COMMENT ON COLUMN data.model_calls.retry_of IS 'Span of the failed call that it retries';
COMMENT ON COLUMN data.model_calls.may_answer IS 'False for a turn that calls tools, a guard and an evaluation';
