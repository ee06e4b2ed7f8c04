"""Can the traces be trusted: every problem, what it means, how to repair it, an example."""

from overbudget.analysis.health.audit import audit
from overbudget.app.dashboard import blocks, cache, lists, sidebar
from overbudget.app.text.audit import headline

view = sidebar.view(filtered=False)
found = cache.ask("audit", view, lambda: audit(view.connection), capped=False)
blocks.say([headline(found)], "health")
if found.problems:
    lists.problems(found)
else:
    blocks.caption("Nothing to repair. Each dump's own warnings are on the Datasets page.")
