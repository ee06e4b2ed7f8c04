-- How much of a request's time in inference is before the first token, and how much is writing?
-- One row per request and part that it has. first_token and writing share no time, and together are at most the stage's;
-- prefill and decode are a server's split of the same time.
CREATE VIEW stage_parts AS
SELECT r.trace_id, r.span_id AS request_span_id, t.stage, p.part, p.part_ns
FROM data.stage_parts p JOIN requests r USING (request_no) JOIN data.stages t USING (stage_id);
COMMENT ON VIEW stage_parts IS 'One row per request and part of a stage that it has: what a stage''s time on the critical path is made of, where calls record it';
COMMENT ON COLUMN stage_parts.trace_id IS 'Trace id of the request';
COMMENT ON COLUMN stage_parts.request_span_id IS 'Span id of the request''s entry span';
COMMENT ON COLUMN stage_parts.stage IS 'The stage, so far always inference';
COMMENT ON COLUMN stage_parts.part IS 'first_token (before the first token of a model call), writing (after it); prefill and decode where a server records them: another split of the same time';
COMMENT ON COLUMN stage_parts.part_ns IS 'Critical-path time of the part in ns';
