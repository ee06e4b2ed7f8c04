-- What did each dump file contain, and which warnings are there?
CREATE TABLE ingest_report (
    source_id INTEGER PRIMARY KEY,
    source VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    spans BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    sampled VARCHAR,
    warnings STRUCT(code VARCHAR, "count" BIGINT, example VARCHAR)[] NOT NULL
);
COMMENT ON TABLE ingest_report IS 'One row per dump file that was read';
COMMENT ON COLUMN ingest_report.source_id IS 'Number of the file within this dataset';
COMMENT ON COLUMN ingest_report.source IS 'The dump file as it was named';
COMMENT ON COLUMN ingest_report.format IS 'Format and compression, recognised from the content';
COMMENT ON COLUMN ingest_report.bytes IS 'Size of the file in bytes, as it was on disk';
COMMENT ON COLUMN ingest_report.spans IS 'Spans stored from this file';
COMMENT ON COLUMN ingest_report.requests IS 'Requests whose entry span came from this file';
COMMENT ON COLUMN ingest_report.duplicates IS 'Spans left out because the same span was stored already';
COMMENT ON COLUMN ingest_report.rejected IS 'Spans that could not be kept: no usable ids or no start';
COMMENT ON COLUMN ingest_report.sampled IS 'How its traces were sampled, as given with --sampled: the probability of being kept, or tail';
COMMENT ON COLUMN ingest_report.warnings IS 'Every kind of warning: its code, how often it occurred, and an example';
