-- The spans as they are stored. Ask the view spans instead; this table under it saves space and time.
CREATE TABLE data.spans (
    span_no INTEGER NOT NULL,
    trace_id VARCHAR NOT NULL,
    span_id VARCHAR NOT NULL,
    parent_span_id VARCHAR,
    trace_state VARCHAR NOT NULL,
    flags UINTEGER NOT NULL,
    operation_id INTEGER NOT NULL,
    name VARCHAR,
    resource_id INTEGER NOT NULL,
    scope_id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    start_ns BIGINT NOT NULL,
    end_ns BIGINT,
    status_code VARCHAR NOT NULL,
    status_message VARCHAR NOT NULL,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[] NOT NULL,
    dropped_attributes_count UINTEGER NOT NULL,
    dropped_events_count UINTEGER NOT NULL,
    dropped_links_count UINTEGER NOT NULL
);
COMMENT ON TABLE data.spans IS 'One row per span, as stored; the view spans is the one to query';
COMMENT ON COLUMN data.spans.span_no IS 'Number of the span within this dataset, in the order of reading';
COMMENT ON COLUMN data.spans.trace_id IS 'Trace id, 32 lower-case hexadecimal digits';
COMMENT ON COLUMN data.spans.span_id IS 'Span id, 16 lower-case hexadecimal digits; unique only together with trace_id';
COMMENT ON COLUMN data.spans.parent_span_id IS 'Span id of the parent; NULL at a root';
COMMENT ON COLUMN data.spans.trace_state IS 'W3C trace state, empty where absent';
COMMENT ON COLUMN data.spans.flags IS 'W3C trace flags and OTLP flag bits';
COMMENT ON COLUMN data.spans.operation_id IS 'The operation, which holds service, scope name, span name with its ids masked, and kind';
COMMENT ON COLUMN data.spans.name IS 'Span name as recorded, where it carries ids; NULL where it is the name of the operation';
COMMENT ON COLUMN data.spans.resource_id IS 'The resource';
COMMENT ON COLUMN data.spans.scope_id IS 'The instrumentation scope';
COMMENT ON COLUMN data.spans.source_id IS 'The dump file';
COMMENT ON COLUMN data.spans.start_ns IS 'Start as recorded, ns since the epoch, UTC';
COMMENT ON COLUMN data.spans.end_ns IS 'End as recorded, ns since the epoch, UTC; NULL where the dump has none';
COMMENT ON COLUMN data.spans.status_code IS 'UNSET, OK or ERROR';
COMMENT ON COLUMN data.spans.status_message IS 'Status message, empty where absent';
COMMENT ON COLUMN data.spans.attributes IS 'Span attributes as key and value, keys unique';
COMMENT ON COLUMN data.spans.dropped_attributes_count IS 'Attributes the exporter dropped';
COMMENT ON COLUMN data.spans.dropped_events_count IS 'Events the exporter dropped';
COMMENT ON COLUMN data.spans.dropped_links_count IS 'Links the exporter dropped';
