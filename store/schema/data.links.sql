-- The span links as they are stored. Query the view span_links instead.
CREATE TABLE data.links (
    span_no INTEGER NOT NULL, linked_trace_id VARCHAR NOT NULL, linked_span_id VARCHAR NOT NULL, trace_state VARCHAR NOT NULL,
    flags UINTEGER NOT NULL, attributes STRUCT("key" VARCHAR, "value" VARCHAR)[] NOT NULL, dropped_attributes_count UINTEGER NOT NULL
);
COMMENT ON TABLE data.links IS 'One row per span link, as stored; the view span_links is the one to query';
COMMENT ON COLUMN data.links.span_no IS 'The span that links';
COMMENT ON COLUMN data.links.linked_trace_id IS 'Trace id of the span linked to';
COMMENT ON COLUMN data.links.linked_span_id IS 'Span id of the span linked to';
COMMENT ON COLUMN data.links.trace_state IS 'W3C trace state of the link';
COMMENT ON COLUMN data.links.flags IS 'Flags of the link';
COMMENT ON COLUMN data.links.attributes IS 'Link attributes as key and value, keys unique';
COMMENT ON COLUMN data.links.dropped_attributes_count IS 'Attributes the exporter dropped';
