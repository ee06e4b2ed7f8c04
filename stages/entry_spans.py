"""What an entry span tells of its request by itself, as SQL over a span `s` of data.spans, its operation `o` and its resource `r`."""

from collections.abc import Sequence

from overbudget.stages.attribute_keys import ENVIRONMENT_KEYS, HTTP_STATUS_KEYS, VERSION_KEYS
from overbudget.stages.names import MISSING_SCOPE


def recorded(relation: str, keys: Sequence[str]) -> str:
    """SQL for the value of the first of `keys` among the attributes of `relation`, NULL where none is there or all are empty."""
    found = (f'list_filter({relation}.attributes, lambda e: e."key" = \'{key}\')[1]."value"' for key in keys)
    return f"nullif(coalesce({', '.join(found)}), '')"


# A server that answers 500 has failed, also where its instrumentation leaves the status of the span unset.
FAILED = f"(s.status_code = 'ERROR' OR coalesce(try_cast({recorded('s', HTTP_STATUS_KEYS)} AS INTEGER) >= 500, false))"
VERSION = recorded("r", VERSION_KEYS)
ENVIRONMENT = recorded("r", ENVIRONMENT_KEYS)
ENTRY = f"CASE WHEN o.scope_name = '{MISSING_SCOPE}' THEN 'missing' WHEN s.end_ns IS NULL THEN 'open' ELSE 'whole' END"
