-- What did each request wait for, at every instant?
-- One row per critical-path segment; a request's segments tile it exactly.
CREATE VIEW critical_path AS
SELECT r.trace_id, r.span_id AS request_span_id, s.span_id, g.start_ns, g.end_ns, g.end_ns - g.start_ns AS duration_ns,
    g.operation_id, o.service_name, p.place AS hop_to, t.stage,
    g.awaited, w.span_id AS while_running
FROM data.segments g
JOIN requests r USING (request_no)
JOIN data.spans s USING (span_no)
JOIN operations o ON o.operation_id = g.operation_id
JOIN data.stages t USING (stage_id)
LEFT JOIN data.places p ON p.place_id = g.hop_to_id
LEFT JOIN data.spans w ON w.span_no = g.while_running;
COMMENT ON VIEW critical_path IS 'One row per critical-path segment; the segments of a request tile it exactly';
COMMENT ON COLUMN critical_path.trace_id IS 'Trace id of the request';
COMMENT ON COLUMN critical_path.request_span_id IS 'Span id of the request''s entry span';
COMMENT ON COLUMN critical_path.span_id IS 'Span id of the span that owns the segment';
COMMENT ON COLUMN critical_path.start_ns IS 'Start of the segment, ns since the epoch, on the adjusted clock';
COMMENT ON COLUMN critical_path.end_ns IS 'End of the segment, ns since the epoch, on the adjusted clock';
COMMENT ON COLUMN critical_path.duration_ns IS 'Length of the segment in ns';
COMMENT ON COLUMN critical_path.operation_id IS 'Operation of the span, in relation operations';
COMMENT ON COLUMN critical_path.service_name IS 'Service of the span';
COMMENT ON COLUMN critical_path.hop_to IS 'Where the request was passing to; NULL where the time is the span''s own';
COMMENT ON COLUMN critical_path.stage IS 'Stage of the segment; unattributed where neither its span nor one above is classified';
COMMENT ON COLUMN critical_path.awaited IS 'Whether the request is known to have waited for it; false where the trace only shows what ran then';
COMMENT ON COLUMN critical_path.while_running IS 'Span id of a span that ran then and ended after the request; the time is not that span''s. NULL otherwise';
