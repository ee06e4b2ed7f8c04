-- What did every span record?
-- One row per span, joined with its operation, resource, scope and dump file.
CREATE VIEW spans AS
SELECT
    s.trace_id, s.span_id, s.parent_span_id, s.trace_state, s.flags, coalesce(s.name, o.name) AS name, o.kind, o.service_name, c.name AS scope_name,
    c.version AS scope_version, make_timestamp_ns(s.start_ns) AS start_time, make_timestamp_ns(s.end_ns) AS end_time,
    s.start_ns, s.end_ns, s.end_ns - s.start_ns AS duration_ns, s.status_code, s.status_message,
    map_from_entries(s.attributes) AS attributes, map_from_entries(r.attributes) AS resource_attributes,
    map_from_entries(c.attributes) AS scope_attributes, s.operation_id, coalesce(k.skew_ns, 0) AS skew_ns, f.source,
    s.dropped_attributes_count, s.dropped_events_count, s.dropped_links_count,
    r.schema_url AS resource_schema_url, c.schema_url AS scope_schema_url
FROM data.spans s
JOIN operations o USING (operation_id)
JOIN data.resources r USING (resource_id)
JOIN data.scopes c USING (scope_id)
JOIN ingest_report f USING (source_id)
LEFT JOIN data.skew k USING (span_no);
COMMENT ON VIEW spans IS 'One row per span';
COMMENT ON COLUMN spans.trace_id IS 'Trace id, 32 lower-case hexadecimal digits';
COMMENT ON COLUMN spans.span_id IS 'Span id, 16 lower-case hexadecimal digits; unique only together with trace_id';
COMMENT ON COLUMN spans.parent_span_id IS 'Span id of the parent; NULL at a root';
COMMENT ON COLUMN spans.trace_state IS 'W3C trace state, empty where absent';
COMMENT ON COLUMN spans.flags IS 'W3C trace flags and OTLP flag bits';
COMMENT ON COLUMN spans.name IS 'Span name as recorded; operations.name has its ids masked';
COMMENT ON COLUMN spans.kind IS 'UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER';
COMMENT ON COLUMN spans.service_name IS 'service.name of the resource';
COMMENT ON COLUMN spans.scope_name IS 'Name of the instrumentation scope, empty where absent';
COMMENT ON COLUMN spans.scope_version IS 'Version of the instrumentation scope, empty where absent';
COMMENT ON COLUMN spans.start_time IS 'Start as recorded, UTC';
COMMENT ON COLUMN spans.end_time IS 'End as recorded, UTC; NULL where the dump has none';
COMMENT ON COLUMN spans.start_ns IS 'Start as recorded, ns since the epoch';
COMMENT ON COLUMN spans.end_ns IS 'End as recorded, ns since the epoch; NULL where the dump has none';
COMMENT ON COLUMN spans.duration_ns IS 'end_ns - start_ns as recorded; NULL without an end, negative where the end comes first';
COMMENT ON COLUMN spans.status_code IS 'UNSET, OK or ERROR';
COMMENT ON COLUMN spans.status_message IS 'Status message, empty where absent';
COMMENT ON COLUMN spans.attributes IS 'Span attributes as text; lists and maps as JSON';
COMMENT ON COLUMN spans.resource_attributes IS 'Resource attributes as text; lists and maps as JSON';
COMMENT ON COLUMN spans.scope_attributes IS 'Scope attributes as text; lists and maps as JSON';
COMMENT ON COLUMN spans.operation_id IS 'The operation, in relation operations';
COMMENT ON COLUMN spans.skew_ns IS 'ns that analysis adds to the recorded times to put the span on its parent''s clock';
COMMENT ON COLUMN spans.source IS 'The dump file the span was read from';
COMMENT ON COLUMN spans.dropped_attributes_count IS 'Attributes the exporter dropped';
COMMENT ON COLUMN spans.dropped_events_count IS 'Events the exporter dropped';
COMMENT ON COLUMN spans.dropped_links_count IS 'Links the exporter dropped';
COMMENT ON COLUMN spans.resource_schema_url IS 'Schema URL of the resource, empty where absent';
COMMENT ON COLUMN spans.scope_schema_url IS 'Schema URL of the scope, empty where absent';
