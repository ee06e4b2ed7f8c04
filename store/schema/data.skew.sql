-- Which spans were shifted to their parent's clock, and by how much?
CREATE TABLE data.skew (span_no INTEGER NOT NULL, skew_ns BIGINT NOT NULL);
COMMENT ON TABLE data.skew IS 'One row per span whose clock was adjusted';
COMMENT ON COLUMN data.skew.span_no IS 'The span';
COMMENT ON COLUMN data.skew.skew_ns IS 'ns added to the recorded times to put them on the parent''s clock; never 0';
