"""All named limits: how much may be read, stored and queried, and how long to wait.

Each is set by `--limit NAME=VALUE` or the environment variable `OVERBUDGET_LIMIT_NAME`, which processes that are started
inherit; docs/reference/limits.md lists them all.
"""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from overbudget.store.errors import OverbudgetError

VARIABLE = "OVERBUDGET_LIMIT_"
BYTES, SECONDS, NUMBER = "bytes", "seconds", "number"


class Limit(NamedTuple):
    """One limit: its unit, its value unless another is set, and what it bounds."""

    unit: str
    default: int
    bounds: str


KB, MB, GB = 1 << 10, 1 << 20, 1 << 30
LIMITS: dict[str, Limit] = {
    "unpacked_bytes": Limit(BYTES, 64 * GB, "what comes out of one compressed dump or archive"),
    "unpacked_ratio": Limit(NUMBER, 100, "how many times its size a compressed dump may unpack to, above 32 MB"),
    "spans": Limit(NUMBER, 100_000_000, "spans of a dataset"),
    "attributes": Limit(
        NUMBER, 1_000, "attributes of a span, event, link, resource or scope; those after it are left out"
    ),
    "value_bytes": Limit(
        BYTES, MB, "an attribute's value; what is longer is cut, with a mark that says how long it was"
    ),
    "ingest_memory": Limit(
        BYTES,
        4 * GB,
        "memory of a process that reads dumps for the command or the dashboard, and at most 80 % of what is free (Linux)",
    ),
    "upload_bytes": Limit(BYTES, 2 * GB, "the size of one file that is dropped on the dashboard"),
    "upload_stall": Limit(SECONDS, 60, "how long an upload may pause before it is given up"),
    "open_uploads": Limit(NUMBER, 8, "files that are uploaded to a server at once"),
    "waiting_bytes": Limit(BYTES, 16 * GB, "all uploaded files that wait to be read, together"),
    "jobs_waiting": Limit(NUMBER, 50, "uploaded files that wait to be read"),
    "jobs_at_once": Limit(NUMBER, 2, "uploaded files that a server reads at once"),
    "jobs_kept": Limit(NUMBER, 10, "jobs whose outcome is still shown after they have ended"),
    "workspace_bytes": Limit(
        BYTES, 200 * GB, "all datasets and uploads of a workspace, above which no upload is taken"
    ),
    "cache_bytes": Limit(
        BYTES, GB, "answers that the dashboard keeps in memory; those asked for least recently make room"
    ),
    "lock_wait": Limit(SECONDS, 600, "how long a writer waits for another one that writes the same dataset"),
    "read_memory": Limit(BYTES, 2 * GB, "memory of DuckDB while a dataset is read; what needs more goes to disk"),
    "read_spill": Limit(BYTES, 16 * GB, "disk that it takes for that, beside the dataset"),
    "query_time": Limit(SECONDS, 20, "how long a query on the SQL page may take"),
    "query_memory": Limit(
        BYTES,
        2 * GB,
        "memory of the process that answers it, and at most 80 % of what is free (Linux); DuckDB has half",
    ),
    "query_spill": Limit(BYTES, 2 * GB, "disk that it takes for what does not fit into memory"),
    "query_rows": Limit(NUMBER, 10_000, "rows of an answer on the SQL page; those after them are left out"),
    "query_columns": Limit(NUMBER, 500, "columns of such an answer; those after them are left out"),
    "query_bytes": Limit(BYTES, 10 * MB, "such an answer; rows after the one that passes it are left out"),
    "query_cell": Limit(
        NUMBER, 10_000, "characters of a cell; a longer one is cut, with a mark that says how long it was"
    ),
    "queries_at_once": Limit(NUMBER, 2, "queries of the SQL page that a server answers at once; others wait"),
    "queries_waiting": Limit(NUMBER, 20, "queries that wait for that"),
}
_FACTORS = {
    BYTES: {"": 1, "B": 1, "KB": KB, "MB": MB, "GB": GB, "TB": 1 << 40},
    SECONDS: {"": 1, "S": 1, "MIN": 60, "M": 60, "H": 3600},
    NUMBER: {"": 1, "K": 1000, "M": 1_000_000},
}
_EXAMPLES = {BYTES: "2GB", SECONDS: "30s", NUMBER: "1000"}


def limit(name: str) -> int:
    """The value of a limit now, in bytes, seconds, or a plain number.

    Errors: OverbudgetError where the environment sets an invalid value.
    """
    said = os.environ.get(VARIABLE + name.upper())
    return LIMITS[name].default if said is None else _parsed(name, said)


def set_limits(settings: Iterable[str]) -> None:
    """Set limits by NAME=VALUE for this process and those it starts. Errors: OverbudgetError where one is invalid."""
    for setting in settings:
        name, equals, said = setting.partition("=")
        name = name.strip().lower().replace("-", "_")
        if not equals or name not in LIMITS:
            raise OverbudgetError(f"--limit {setting}: write NAME=VALUE with a name of {', '.join(LIMITS)}.")
        _parsed(name, said)
        os.environ[VARIABLE + name.upper()] = said


def as_written(name: str, value: int) -> str:
    """A limit's value for reading: `2 GB`, `600 s`, `1,000`."""
    unit = LIMITS[name].unit
    if unit == BYTES:
        for step, word in ((GB, "GB"), (MB, "MB"), (KB, "kB")):
            if value >= step:
                return f"{value / step:,.3g} {word}" if value % step else f"{value // step:,} {word}"
        return f"{value} bytes"
    return f"{value:,} s" if unit == SECONDS else f"{value:,}"


def how_to_raise(name: str) -> str:
    """The end of a sentence that names the limit that was reached and how to set it."""
    return f"the limit {name} is {as_written(name, limit(name))}; set another with --limit {name}=VALUE or {VARIABLE}{name.upper()}"


def _parsed(name: str, said: str) -> int:
    unit = LIMITS[name].unit
    found = re.fullmatch(r"\s*([\d_]+(?:\.\d+)?)\s*([A-Za-z]*)\s*", said)
    factor = _FACTORS[unit].get(found.group(2).upper()) if found else None
    if found is None or factor is None:
        raise OverbudgetError(f"The limit {name}={said} cannot be read: write it like {_EXAMPLES[unit]}.")
    return int(float(found.group(1).replace("_", "")) * factor)
