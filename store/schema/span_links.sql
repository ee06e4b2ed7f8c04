-- Which other spans does a span point to?
-- One row per span link.
CREATE VIEW span_links AS
SELECT s.trace_id, s.span_id, l.linked_trace_id, l.linked_span_id, map_from_entries(l.attributes) AS attributes,
    l.trace_state, l.flags, l.dropped_attributes_count
FROM data.links l JOIN data.spans s USING (span_no);
COMMENT ON VIEW span_links IS 'One row per span link';
COMMENT ON COLUMN span_links.trace_id IS 'Trace id of the span that links';
COMMENT ON COLUMN span_links.span_id IS 'Span id of the span that links';
COMMENT ON COLUMN span_links.linked_trace_id IS 'Trace id of the span linked to';
COMMENT ON COLUMN span_links.linked_span_id IS 'Span id of the span linked to';
COMMENT ON COLUMN span_links.attributes IS 'Link attributes as text; lists and maps as JSON';
COMMENT ON COLUMN span_links.trace_state IS 'W3C trace state of the link';
COMMENT ON COLUMN span_links.flags IS 'Flags of the link';
COMMENT ON COLUMN span_links.dropped_attributes_count IS 'Attributes the exporter dropped';
