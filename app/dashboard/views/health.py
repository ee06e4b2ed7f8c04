"""Can the traces be trusted: every problem, what it means, how to repair it, an example."""

from analysis.audit import audit
from app.dashboard import blocks, cache, frame, lists
from app.report.audit_text import headline

view = frame.view(filtered=False)
found = cache.ask("audit", view, lambda: audit(view.connection), capped=False)
blocks.say([headline(found)], "health")
if found.problems:
    lists.problems(found)
else:
    blocks.caption("Nothing to repair. Each dump's own oddities are on the Datasets page.")
