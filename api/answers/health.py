"""overbudget.open(…).audit()."""

import duckdb

from overbudget.analysis.health.audit import Audit, audit
from overbudget.answers.answer import Answer, form_of
from overbudget.app.text.audit import headline


def ask(connection: duckdb.DuckDBPyConnection) -> Answer[Audit]:
    """Whether the traces can be trusted."""
    found = audit(connection)
    return Answer(found, found.as_dict, lambda: form_of([headline(found)], found.as_dict(), "problems"))
