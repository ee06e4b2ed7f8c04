-- Stage times as they are stored. Query the view stage_time instead.
CREATE TABLE data.stage_time (
    request_no INTEGER NOT NULL, stage_id SMALLINT NOT NULL, stage_ns BIGINT NOT NULL, busy_ns BIGINT NOT NULL, span_count INTEGER NOT NULL
);
COMMENT ON TABLE data.stage_time IS 'One row per request and stage that occurs in it; the view stage_time is the one to query';
COMMENT ON COLUMN data.stage_time.request_no IS 'The request';
COMMENT ON COLUMN data.stage_time.stage_id IS 'The stage';
COMMENT ON COLUMN data.stage_time.stage_ns IS 'Critical-path time of the stage in ns; a request''s stage times sum to its duration';
COMMENT ON COLUMN data.stage_time.busy_ns IS 'Union of the intervals of the stage''s spans in ns, whether anyone waited for them or not';
COMMENT ON COLUMN data.stage_time.span_count IS 'Spans of the stage in the request';
