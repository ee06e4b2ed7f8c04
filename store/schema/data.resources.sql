-- Distinct resources; spans point to them, so that their attributes are stored once.
CREATE TABLE data.resources (
    resource_id INTEGER PRIMARY KEY, attributes STRUCT("key" VARCHAR, "value" VARCHAR)[] NOT NULL, schema_url VARCHAR NOT NULL
);
COMMENT ON TABLE data.resources IS 'One row per distinct resource';
COMMENT ON COLUMN data.resources.resource_id IS 'Number of the resource within this dataset';
COMMENT ON COLUMN data.resources.attributes IS 'Resource attributes as key and value';
COMMENT ON COLUMN data.resources.schema_url IS 'Schema URL of the resource, empty where absent';
