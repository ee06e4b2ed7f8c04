-- Which operations are there, and which stage does each belong to?
-- One row per distinct combination of what the rules look at. Rules classify operations, never spans.
CREATE TABLE operations (
    operation_id INTEGER PRIMARY KEY,
    service_name VARCHAR NOT NULL,
    scope_name VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    stage VARCHAR,
    weak BOOLEAN NOT NULL,
    rule VARCHAR,
    span_count BIGINT NOT NULL,
    peer VARCHAR,
    keys MAP(VARCHAR, VARCHAR) NOT NULL
);
COMMENT ON TABLE operations IS 'One row per operation: a distinct combination of service, scope, span name, kind and semantic-convention keys';
COMMENT ON COLUMN operations.operation_id IS 'Number of the operation within this dataset';
COMMENT ON COLUMN operations.service_name IS 'service.name of the resource, "unknown_service" where it is absent';
COMMENT ON COLUMN operations.scope_name IS 'Name of the instrumentation scope, empty where absent';
COMMENT ON COLUMN operations.name IS 'Span name with every id in it (UUID, long number, hexadecimal digits, address, date) masked as {id}; spans.name has it as recorded';
COMMENT ON COLUMN operations.kind IS 'UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER';
COMMENT ON COLUMN operations.stage IS 'Stage by the default rules; NULL where no rule applies';
COMMENT ON COLUMN operations.weak IS 'True where the rule classifies a span only if no span above it is classified';
COMMENT ON COLUMN operations.rule IS 'The rule that decided, in words; NULL where none applies';
COMMENT ON COLUMN operations.span_count IS 'Spans of this operation in the dataset';
COMMENT ON COLUMN operations.peer IS 'Where a call span goes, as recorded: server.address, peer.service, db.system.name or gen_ai.provider.name; NULL for other spans';
COMMENT ON COLUMN operations.keys IS 'Semantic-convention attributes that classification looks at, as found on the spans';
