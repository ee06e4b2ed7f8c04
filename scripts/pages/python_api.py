"""docs/reference/python.md: how the Python API is used, and every public name, from its docstrings."""

import inspect
from collections.abc import Iterator
from typing import Any

import overbudget

HEAD = """# The Python API

```python
import overbudget

overbudget.ingest(["traces.jsonl.gz"], to="traces.duckdb")  # files, folders, patterns; what was read
traces = overbudget.open("traces.duckdb")  # or: with overbudget.open(…) as traces:
review = traces.review(budget="budget.toml", only={"route": "POST /chat"})
review  # a notebook shows it with its tables; str(review) gives its sentences
review.as_dict()  # what `overbudget review --json` prints
review.frame()  # its main table as a pandas DataFrame; review.frame("breakdown") another one
review.figure()  # its chart, a Plotly figure
review.result  # the dataclass of the analysis
```

`overbudget` loads nothing heavy until it is called. `frame()` and `sql()` need pandas, `figure()` Plotly:
`pip install 'overbudget[notebook]'`.

| method of a dataset | answers | chart |
| --- | --- | --- |
| `review(budget, only=, include_incomplete=)` | which stage blows the budget, at which percentile, why | what requests are made of |
| `tail(percentile=95, budget, only=, over_budget=)` | what slow requests have in common | the worst operation in slow and typical requests |
| `what_if(cap=, scale=, parallel=, cache=, drop_retries=, budget=, only=)` | latency with something changed: `cap={"retrieval": "400ms"}`, `scale={"inference": 0.5}`, `parallel=["tool a", "tool b"]`, `cache={"embed": "10m"}` | before and after |
| `allocate(total="p95=2s", fixed=, budget=, only=)` | limits for every stage from one total | before and after |
| `advise(budget, only=)` | what to change first | effect of the first |
| `load(budget, only=)` | whether requests stay fast under load | p50 and p95 against requests in flight |
| `consistency(budget, only=)` | how predictable the latency is | spread by stage |
| `audit()` | whether the traces can be trusted | |
| `compare(candidate, budget, only=, candidate_only=)` | what changed, this dataset being the base | both distributions |
| `trace(trace_id)` | one trace and its critical path | the waterfall |
| `sql("SELECT …")` | a pandas DataFrame | |
| `spans`, `requests`, … (the relations), `relation(name)` | a DuckDB relation: `traces.requests.filter("complete").df()` | |

`budget` is a path, TOML text, a dict laid out like the budget file, or the result of
`overbudget.load_budget`. `only` selects requests, like `--only`: `"model=big"`, a list of such conditions, a dict, or
`overbudget.Filters`. Times are integer nanoseconds. Errors that a user can fix are raised as `overbudget.OverbudgetError`,
one sentence. `traces.connection` is DuckDB's own read-only connection; threads take a `cursor()` each.

## Every name

Made from the docstrings.
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(f"\n### {title}\n\n{said}\n" for title, said in _entries())


def undocumented() -> list[str]:
    """Public names, methods and properties without a docstring."""
    return [title for title, said in _entries() if not said]


def _entries() -> Iterator[tuple[str, str]]:
    for name in overbudget.__all__:
        thing = getattr(overbudget, name)
        if name == "ingest":  # the package of that name stands for the function (docs/decisions)
            from overbudget.dataset import ingest as thing
        if isinstance(thing, str):
            yield f"overbudget.{name}", "The version of the program, as text."
        elif isinstance(thing, type):
            yield f"overbudget.{name}", _said(thing)
            yield from _members(name, thing)
        else:
            yield f"overbudget.{name}{_signature(thing)}", _said(thing)


def _members(name: str, of: type) -> Iterator[tuple[str, str]]:
    for member, value in vars(of).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"{name}.{member}", _said(value)
        elif inspect.isfunction(value):
            yield f"{name}.{member}{_signature(value)}", _said(value)


def _said(thing: object) -> str:
    """The docstring, lines that belong to one paragraph on one line."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


def _signature(function: Any) -> str:
    """The parameters as they are written, without types: those are in the code, for type checkers."""
    shown, star = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            shown.append("*")
            star = True
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(f"{parameter.name}{default}")
    return f"({', '.join(shown)})"
