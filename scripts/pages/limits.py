"""docs/reference/limits.md, made from store/limits.py."""

from overbudget.store.limits import LIMITS, VARIABLE, as_written

HEAD = f"""# Limits

Every limit has a name and can be set, for one run by `--limit NAME=VALUE` (of `ingest` and `serve`, repeatable), else by the
environment variable `{VARIABLE}NAME` in capitals, which also holds for the Python API and for processes that are started.
Sizes are written like `500MB` or `2GB` (1 GB is 2³⁰ bytes), times like `30s`, `10min` or `2h`, numbers like `1000` or `5M`.
A message about a limit names it and says how to set it.

| limit | unless set | bounds |
| --- | --- | --- |
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(
        f"| `{name}` | {as_written(name, limit.default)} | {limit.bounds} |\n" for name, limit in LIMITS.items()
    )
