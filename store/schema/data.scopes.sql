-- Distinct instrumentation scopes; spans point to them.
CREATE TABLE data.scopes (
    scope_id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, version VARCHAR NOT NULL,
    attributes STRUCT("key" VARCHAR, "value" VARCHAR)[] NOT NULL, schema_url VARCHAR NOT NULL
);
COMMENT ON TABLE data.scopes IS 'One row per distinct instrumentation scope';
COMMENT ON COLUMN data.scopes.scope_id IS 'Number of the scope within this dataset';
COMMENT ON COLUMN data.scopes.name IS 'Name of the scope, empty where absent';
COMMENT ON COLUMN data.scopes.version IS 'Version of the scope, empty where absent';
COMMENT ON COLUMN data.scopes.attributes IS 'Scope attributes as key and value';
COMMENT ON COLUMN data.scopes.schema_url IS 'Schema URL of the scope, empty where absent';
