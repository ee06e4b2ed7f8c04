"""Whether calls need one another: the output of one recurs in the input of a later one, or their roles feed each other."""

import re
from collections.abc import Iterable

import numpy as np

from overbudget.analysis.advice.proposal import ask
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.kernels.columns import I32
from overbudget.stages.attribute_keys import INPUT_KEYS, OUTPUT_KEYS
from overbudget.stages.withheld_text import MARK

MOST_COMPARED = 4_000  # calls whose inputs and outputs are compared
_NEEDS = f"""
WITH calls AS (
    SELECT t.parent, t.start_ns, t.end_ns, list_filter(s.attributes, lambda e: e."key" IN {INPUT_KEYS}) AS asked,
        list_filter(s.attributes, lambda e: e."key" IN {OUTPUT_KEYS}) AS said
    FROM data.tree t JOIN chosen USING (node) JOIN data.spans s USING (span_no)
)
SELECT count(*), count(*) FILTER (contains(b.asked[1]."value", a.said[1]."value"))
FROM calls a JOIN calls b ON b.parent = a.parent AND a.end_ns <= b.start_ns
WHERE len(a.said) > 0 AND len(b.asked) > 0 AND length(a.said[1]."value") > 3
    AND NOT starts_with(a.said[1]."value", '{MARK}') AND NOT starts_with(b.asked[1]."value", '{MARK}')
"""
# Embeddings feed searches, results feed rankings, ranked results feed the model. A name has the first role that fits.
ROLES = (
    re.compile(r"re.?rank|cross.?encod"),
    re.compile(r"embed"),
    re.compile(r"search|retriev|vector|\bquery\b|\bknn\b|lookup|similarit"),
    re.compile(r"\bchat\b|complet|generat|\bllm\b"),
)


def needs_of(bench: Workbench, calls: I32) -> tuple[int, int]:
    """Pairs of calls under one parent, one after the other, that record an output and an input; and in how many of them the
    output is part of the input."""
    compared, needed = ask(bench, _NEEDS, calls[:MOST_COMPARED]).fetchall()[0]
    return int(compared), int(needed)


def feed_each_other(names: Iterable[str]) -> bool:
    """Whether these names have roles of which one needs the result of another."""
    roles = (next((place for place, role in enumerate(ROLES) if role.search(name.lower())), None) for name in names)
    return len({role for role in roles if role is not None}) > 1


def varying(share: float) -> bool:
    """Whether an order varies: more than one in twenty differs from the usual one."""
    return bool(np.isfinite(share) and share >= 0.05)
