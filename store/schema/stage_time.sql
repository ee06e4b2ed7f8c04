-- How much of each request's time is in each stage?
-- One row per request and stage that occurs in it; the stage times of a request sum to its duration.
CREATE VIEW stage_time AS
SELECT r.trace_id, r.span_id AS request_span_id, r.route, t.stage, s.stage_ns, s.busy_ns, s.span_count
FROM data.stage_time s JOIN requests r USING (request_no) JOIN data.stages t USING (stage_id);
COMMENT ON VIEW stage_time IS 'One row per request and stage that occurs in it; stage times of a request sum to its duration';
COMMENT ON COLUMN stage_time.trace_id IS 'Trace id of the request';
COMMENT ON COLUMN stage_time.request_span_id IS 'Span id of the request''s entry span';
COMMENT ON COLUMN stage_time.route IS 'Route of the request';
COMMENT ON COLUMN stage_time.stage IS 'The stage';
COMMENT ON COLUMN stage_time.stage_ns IS 'Critical-path time of the stage in ns';
COMMENT ON COLUMN stage_time.busy_ns IS 'Union of the intervals of the stage''s spans in ns, whether anyone waited for them or not';
COMMENT ON COLUMN stage_time.span_count IS 'Spans of the stage in the request';
