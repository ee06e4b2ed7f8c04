-- What happened inside a span?
-- One row per span event.
CREATE VIEW span_events AS
SELECT s.trace_id, s.span_id, make_timestamp_ns(e.time_ns) AS "time", e.time_ns, e.name,
    map_from_entries(e.attributes) AS attributes, e.dropped_attributes_count
FROM data.events e JOIN data.spans s USING (span_no);
COMMENT ON VIEW span_events IS 'One row per span event';
COMMENT ON COLUMN span_events.trace_id IS 'Trace id of the span';
COMMENT ON COLUMN span_events.span_id IS 'Span id of the span';
COMMENT ON COLUMN span_events."time" IS 'Time of the event, UTC';
COMMENT ON COLUMN span_events.time_ns IS 'Time of the event, ns since the epoch';
COMMENT ON COLUMN span_events.name IS 'Name of the event';
COMMENT ON COLUMN span_events.attributes IS 'Event attributes as text; lists and maps as JSON';
COMMENT ON COLUMN span_events.dropped_attributes_count IS 'Attributes the exporter dropped';
