-- The critical path as it is stored. Query the view critical_path instead.
CREATE TABLE data.segments (
    request_no INTEGER NOT NULL, span_no INTEGER NOT NULL, start_ns BIGINT NOT NULL, end_ns BIGINT NOT NULL,
    operation_id INTEGER NOT NULL, hop_to_id INTEGER NOT NULL, stage_id SMALLINT NOT NULL,
    awaited BOOLEAN NOT NULL, while_running INTEGER NOT NULL
);
COMMENT ON TABLE data.segments IS 'One row per critical-path segment, requests together, in time order; the view critical_path is the one to query';
COMMENT ON COLUMN data.segments.request_no IS 'The request';
COMMENT ON COLUMN data.segments.span_no IS 'The span that owns the segment';
COMMENT ON COLUMN data.segments.start_ns IS 'Start of the segment, ns since the epoch, on the adjusted clock';
COMMENT ON COLUMN data.segments.end_ns IS 'End of the segment, ns since the epoch, on the adjusted clock';
COMMENT ON COLUMN data.segments.operation_id IS 'Operation of the span';
COMMENT ON COLUMN data.segments.hop_to_id IS 'Place (service or callee) that the request was passing to; -1 where the time is the span''s own';
COMMENT ON COLUMN data.segments.stage_id IS 'Stage of the segment, by the default rules';
COMMENT ON COLUMN data.segments.awaited IS 'Whether the request is known to have waited for it; false where the trace only shows what ran then';
COMMENT ON COLUMN data.segments.while_running IS 'A span that ran then and ended after the request; -1 for none. The time is not that span''s';
