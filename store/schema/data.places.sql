-- Where time can go: services, and callees that are named by their caller but not instrumented.
CREATE TABLE data.places (place_id INTEGER PRIMARY KEY, place VARCHAR NOT NULL);
COMMENT ON TABLE data.places IS 'One row per service or uninstrumented callee: the names for hop_to_id';
COMMENT ON COLUMN data.places.place_id IS 'Number of the place within this dataset';
COMMENT ON COLUMN data.places.place IS 'service.name, or server.address, peer.service, db.system.name, gen_ai.provider.name of a call without an instrumented callee';
