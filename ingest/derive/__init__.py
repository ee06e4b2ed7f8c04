"""From stored spans to requests, critical paths and stage times."""
