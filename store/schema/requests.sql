-- How long did each request take, and what was it?
-- One row per request: an entry span and its subtree.
CREATE TABLE requests (
    request_no INTEGER PRIMARY KEY,
    trace_id VARCHAR NOT NULL,
    span_id VARCHAR NOT NULL,
    route VARCHAR NOT NULL,
    shape VARCHAR NOT NULL,
    service_name VARCHAR NOT NULL,
    start_time TIMESTAMP_NS NOT NULL,
    start_ns BIGINT NOT NULL,
    duration_ns BIGINT NOT NULL,
    user_ns BIGINT NOT NULL,
    latency_ns BIGINT NOT NULL,
    status_code VARCHAR NOT NULL,
    failed BOOLEAN NOT NULL,
    entry VARCHAR NOT NULL,
    complete BOOLEAN NOT NULL,
    weight DOUBLE NOT NULL,
    span_count INTEGER NOT NULL,
    model VARCHAR,
    conversation_id VARCHAR,
    request_id VARCHAR,
    score DOUBLE,
    good BOOLEAN,
    input_tokens BIGINT,
    output_tokens BIGINT,
    cached_tokens BIGINT,
    ttft_ns BIGINT,
    in_flight INTEGER NOT NULL,
    version VARCHAR,
    environment VARCHAR,
    source_id INTEGER NOT NULL
);
COMMENT ON TABLE requests IS 'One row per request: one user-visible unit of work, an entry span and its subtree';
COMMENT ON COLUMN requests.request_no IS 'Number of the request within this dataset, in order of start';
COMMENT ON COLUMN requests.trace_id IS 'Trace id, 32 lower-case hexadecimal digits';
COMMENT ON COLUMN requests.span_id IS 'Span id of the entry span';
COMMENT ON COLUMN requests.route IS 'Name of the entry span''s operation: the span''s name with its ids masked';
COMMENT ON COLUMN requests.shape IS 'The set of operations directly below the entry span, sorted, separated by " | "';
COMMENT ON COLUMN requests.service_name IS 'Service of the entry span';
COMMENT ON COLUMN requests.start_time IS 'Start of the request, UTC';
COMMENT ON COLUMN requests.start_ns IS 'Start of the request, ns since the epoch';
COMMENT ON COLUMN requests.duration_ns IS 'From the start of the entry span to its end, in ns';
COMMENT ON COLUMN requests.user_ns IS 'How long the request waited for a person in ns, by the default rules: not part of its latency';
COMMENT ON COLUMN requests.latency_ns IS 'End-to-end latency of the request in ns: duration_ns without user_ns';
COMMENT ON COLUMN requests.status_code IS 'Status of the entry span: UNSET, OK or ERROR';
COMMENT ON COLUMN requests.failed IS 'Whether the entry span failed: status ERROR, or an HTTP response status of 500 and above';
COMMENT ON COLUMN requests.entry IS 'The entry span: whole; open where it has no end, so that the request took at least this long; missing where it is not in the data and only its children are';
COMMENT ON COLUMN requests.complete IS 'False where the trace has orphans or a span without an end: where the request''s time went is not certain';
COMMENT ON COLUMN requests.weight IS 'How many requests this one stands for: 1 / probability of sampling, 1 where nothing is recorded';
COMMENT ON COLUMN requests.span_count IS 'Spans of the request';
COMMENT ON COLUMN requests.model IS 'Model of the longest inference span that names one';
COMMENT ON COLUMN requests.conversation_id IS 'Conversation or session id, where recorded';
COMMENT ON COLUMN requests.request_id IS 'Request id, where recorded';
COMMENT ON COLUMN requests.score IS 'Score of an evaluation or of feedback, where recorded';
COMMENT ON COLUMN requests.good IS 'Whether the answer was good; NULL where nothing is recorded or no threshold is known';
COMMENT ON COLUMN requests.input_tokens IS 'Input tokens of all model calls; NULL where not recorded';
COMMENT ON COLUMN requests.output_tokens IS 'Output tokens of all model calls; NULL where not recorded';
COMMENT ON COLUMN requests.cached_tokens IS 'Input tokens served from the provider''s cache; NULL where not recorded';
COMMENT ON COLUMN requests.ttft_ns IS 'From the request''s start to the first token of its answer in ns: of the last model call on the path that is no tool-calling turn, guard or evaluation; NULL where that one records none';
COMMENT ON COLUMN requests.in_flight IS 'Other requests of this dataset that were running when this one arrived';
COMMENT ON COLUMN requests.version IS 'service.version of the entry span''s resource, where recorded';
COMMENT ON COLUMN requests.environment IS 'deployment.environment.name of the entry span''s resource, where recorded';
COMMENT ON COLUMN requests.source_id IS 'The dump file of the entry span';
