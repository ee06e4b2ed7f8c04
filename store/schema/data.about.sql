-- Which overbudget made this dataset, and by which definitions?
CREATE TABLE data.about (format_version INTEGER NOT NULL, method_version INTEGER NOT NULL, made_by VARCHAR NOT NULL);
COMMENT ON TABLE data.about IS 'One row about the dataset itself';
COMMENT ON COLUMN data.about.format_version IS 'Version of the tables and columns; only the same one is read';
COMMENT ON COLUMN data.about.method_version IS 'Version of the definitions by which requests, critical path and stages were derived';
COMMENT ON COLUMN data.about.made_by IS 'Version of overbudget that laid the dataset out';
