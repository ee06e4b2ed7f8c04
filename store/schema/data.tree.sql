-- The spans as trees, ready for the kernels: whole traces together, parents as positions, times cleaned and on one clock.
CREATE TABLE data.tree (
    node INTEGER NOT NULL,
    span_no INTEGER NOT NULL,
    trace_no INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    start_ns BIGINT NOT NULL,
    end_ns BIGINT NOT NULL,
    operation_id INTEGER NOT NULL,
    request_no INTEGER NOT NULL,
    stage_id SMALLINT NOT NULL
);
COMMENT ON TABLE data.tree IS 'One row per span in the order of the kernels: by trace, then start';
COMMENT ON COLUMN data.tree.node IS 'Position of the span in this order';
COMMENT ON COLUMN data.tree.span_no IS 'The span';
COMMENT ON COLUMN data.tree.trace_no IS 'Number of the trace within this dataset';
COMMENT ON COLUMN data.tree.parent IS 'Node of the parent; -1 at a root, -2 where the parent is not in the data';
COMMENT ON COLUMN data.tree.start_ns IS 'Start after cleaning and clock-skew adjustment, ns since the epoch';
COMMENT ON COLUMN data.tree.end_ns IS 'End after cleaning and clock-skew adjustment, ns since the epoch';
COMMENT ON COLUMN data.tree.operation_id IS 'The operation';
COMMENT ON COLUMN data.tree.request_no IS 'The request this span is part of; -1 where it is part of none';
COMMENT ON COLUMN data.tree.stage_id IS 'Stage of the innermost classified span at or above this one, by the default rules';
