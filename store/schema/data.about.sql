-- Which version of overbudget made this dataset, and with which definitions?
CREATE TABLE data.about (format_version INTEGER NOT NULL, method_version INTEGER NOT NULL, made_by VARCHAR NOT NULL);
COMMENT ON TABLE data.about IS 'One row about the dataset itself';
COMMENT ON COLUMN data.about.format_version IS 'Version of the tables and columns; only the same one is read';
COMMENT ON COLUMN data.about.method_version IS 'Version of the definitions of requests, critical path and stages';
COMMENT ON COLUMN data.about.made_by IS 'Version of overbudget that created the dataset';
