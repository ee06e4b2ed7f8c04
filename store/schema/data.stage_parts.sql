-- Parts of stages as they are stored. Query the view stage_parts instead.
CREATE TABLE data.stage_parts (request_no INTEGER NOT NULL, stage_id SMALLINT NOT NULL, part VARCHAR NOT NULL, part_ns BIGINT NOT NULL);
COMMENT ON TABLE data.stage_parts IS 'One row per request and part of a stage that it has; the view stage_parts is the one to query';
COMMENT ON COLUMN data.stage_parts.request_no IS 'The request';
COMMENT ON COLUMN data.stage_parts.stage_id IS 'The stage';
COMMENT ON COLUMN data.stage_parts.part IS 'first_token, writing, prefill or decode';
COMMENT ON COLUMN data.stage_parts.part_ns IS 'Critical-path time of the part in ns';
