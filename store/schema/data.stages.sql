-- Stages known to this dataset: the names for every stage_id.
CREATE TABLE data.stages (stage_id SMALLINT PRIMARY KEY, stage VARCHAR NOT NULL);
COMMENT ON TABLE data.stages IS 'One row per stage: a named part of a request with a budget. The last is unattributed.';
COMMENT ON COLUMN data.stages.stage_id IS 'Number of the stage within this dataset';
COMMENT ON COLUMN data.stages.stage IS 'Name of the stage, e.g. retrieval';
