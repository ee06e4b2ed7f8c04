"""When a single request has spent its cap (docs/reference/method.md, The budget along the way)."""

from dataclasses import dataclass

from overbudget.analysis.budget.caps import total_cap
from overbudget.analysis.budget.model import Budget
from overbudget.analysis.trace.result import Trace, TraceRequest
from overbudget.stages.names import ASKS_PERSON


@dataclass(frozen=True)
class Spent:
    """The instant at which a request has spent its cap (ns since the epoch), the stage that has the path then, and by how
    much the request is over in the end."""

    at_ns: int
    stage: str
    over_ns: int
    cap_ns: int


def spent_at(request: TraceRequest, cap_ns: int) -> Spent | None:
    """Where `request` runs out of its cap, waits for a person not counted; None where it keeps it."""
    passed, found = 0, None
    for segment in request.critical_path:
        if segment.stage == ASKS_PERSON:
            continue
        took = segment.end_ns - segment.start_ns
        if found is None and passed + took > cap_ns:
            found = segment.start_ns + cap_ns - passed, segment.stage
        passed += took
    return None if found is None else Spent(*found, passed - cap_ns, cap_ns)


def spent_caps(trace: Trace, budget: Budget | None) -> dict[str, Spent]:
    """By entry span, where each request of the trace runs out of its cap at p95; those that keep it are left out.

    None where the budget's rules make other requests or stages than those that a trace is shown with: the cap is not on these.
    """
    found: dict[str, Spent] = {}
    if budget is None or budget.reads_otherwise():
        return found
    for request in trace.requests:
        cap = total_cap(budget, [request.route])
        if cap is not None and (spent := spent_at(request, cap.ns)) is not None:
            found[request.span_id] = spent
    return found
