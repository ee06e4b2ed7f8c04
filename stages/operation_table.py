"""The operations of a dataset as the kernels need them: stages, places and names by number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from overbudget.kernels.columns import I32, OTHER_KIND, Bool, OperationColumns
from overbudget.kernels.otlp import KIND_NUMBERS
from overbudget.stages.assign import NOTHING_BELOW, NOTHING_BELOW_OR_TRANSPARENT, NOTHING_ELSE_BELOW
from overbudget.stages.attribute_keys import PEER_KEYS
from overbudget.stages.classify import Decision, classify
from overbudget.stages.names import DEFAULT_STAGES, MISSING_SCOPE, UNATTRIBUTED, stage_order
from overbudget.stages.rules import Rule

SETUP = ("create_agent",)  # gen_ai.operation.name of spans that set something up

# The kernels' codes for what must not be below a span for its rule to count.
BELOW: dict[tuple[str, str | None], int] = {
    ("", None): -1,
    ("nothing", None): NOTHING_BELOW,
    ("nothing", "orchestration"): NOTHING_BELOW_OR_TRANSPARENT,
    ("nothing else", "orchestration"): NOTHING_ELSE_BELOW,
}


@dataclass(frozen=True)
class Catalogue:
    """Operations by operation_id, with what their numbers mean.

    `stages` ends with unattributed; `places` are the services and the uninstrumented callees; `names[name_codes[o]]`
    is the span name of operation o.
    """

    count: int
    stages: tuple[str, ...]
    places: tuple[str, ...]
    names: tuple[str, ...]
    name_codes: I32
    columns: OperationColumns
    decisions: tuple[Decision, ...]
    peers: tuple[str | None, ...]
    setup: Bool  # prepares what requests use (creates an agent): not a request itself
    missing: Bool  # added for parents that are in no dump

    @property
    def services(self) -> tuple[str, ...]:
        """The places that have spans, which come first."""
        return self.places[: int(self.columns.service.max(initial=-1)) + 1]


def catalogue_of(
    operations: pa.Table, rules: Sequence[Rule] = (), decisions: Sequence[Decision] | None = None
) -> Catalogue:
    """Classify `operations` (service_name, scope_name, name, kind, keys; in the order of their ids) and number them."""
    decided = list(decisions) if decisions is not None else classify(operations, rules)
    found = {decision.stage for decision in decided if decision.stage is not None}
    stages = (*stage_order({*DEFAULT_STAGES, *found} - {UNATTRIBUTED}), UNATTRIBUTED)
    code = {stage: number for number, stage in enumerate(stages)}
    services, kinds = operations["service_name"].to_pylist(), operations["kind"].to_pylist()
    names = operations["name"].to_pylist()
    keyed = [dict(keys) for keys in operations["keys"].to_pylist()]
    peers = [_peer(kind, keys) for kind, keys in zip(kinds, keyed, strict=True)]
    setup = np.array([(keys.get("gen_ai.operation.name") or "").strip('"') in SETUP for keys in keyed], bool)
    places = {place: number for number, place in enumerate(dict.fromkeys([*services, *filter(None, peers)]))}
    distinct = {name: number for number, name in enumerate(dict.fromkeys(names))}
    columns = OperationColumns(
        service=np.array([places[service] for service in services], np.int32),
        kind=np.array([KIND_NUMBERS.get(kind, OTHER_KIND) for kind in kinds], np.int8),
        peer=np.array([places[peer] if peer else -1 for peer in peers], np.int32),
        stage=np.array([code.get(d.stage, -1) if d.stage else -1 for d in decided], np.int16),
        weak=np.array([d.weak for d in decided], bool),
        under=np.array([code[d.under] if d.under else BELOW[d.below, d.otherwise] for d in decided], np.int16),
    )
    name_codes = np.array([distinct[name] for name in names], np.int32)
    missing = np.array([scope == MISSING_SCOPE for scope in operations["scope_name"].to_pylist()], bool)
    return Catalogue(
        len(names), stages, tuple(places), tuple(distinct), name_codes, columns, tuple(decided), tuple(peers), setup, missing
    )  # fmt: skip


def _peer(kind: str, keys: dict[str, str | None]) -> str | None:
    """Where a call span goes, as it records it (docs/reference/method.md, Hops); None for spans that are not calls."""
    if kind not in ("CLIENT", "PRODUCER"):
        return None
    return next((value for key in PEER_KEYS if (value := keys.get(key))), None)
