-- The span events as they are stored. Query the view span_events instead.
CREATE TABLE data.events (
    span_no INTEGER NOT NULL, time_ns BIGINT, name VARCHAR NOT NULL,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[] NOT NULL, dropped_attributes_count UINTEGER NOT NULL
);
COMMENT ON TABLE data.events IS 'One row per span event, as stored; the view span_events is the one to query';
COMMENT ON COLUMN data.events.span_no IS 'The span';
COMMENT ON COLUMN data.events.time_ns IS 'Time of the event, ns since the epoch, UTC; NULL where the dump has none';
COMMENT ON COLUMN data.events.name IS 'Name of the event';
COMMENT ON COLUMN data.events.attributes IS 'Event attributes as key and value, keys unique';
COMMENT ON COLUMN data.events.dropped_attributes_count IS 'Attributes the exporter dropped';
