"""The names of a batch's spans: the template that names their operation, and the name as recorded."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import SpanBatch
from overbudget.kernels.content_hash import codes_of, list_parts, one_chunk
from overbudget.stages.name_template import templates, with_route

ROUTE_KEY = "http.route"


class SpanNames(NamedTuple):
    """Dictionary arrays, one entry per span: `template`, and `raw` where that differs, null elsewhere."""

    template: pa.DictionaryArray
    raw: pa.DictionaryArray


def names_of(batch: SpanBatch) -> SpanNames:
    """The names of a batch's spans. A recorded http.route replaces the path of a name in which masking changes something."""
    names = one_chunk(batch.spans["name"])
    recorded = names.dictionary
    masked = templates(recorded)
    changed = pc.not_equal(masked, recorded).to_numpy(zero_copy_only=False)
    if not changed.any():
        return SpanNames(names, pa.DictionaryArray.from_arrays(pa.nulls(len(names), pa.int32()), recorded))
    distinct = masked.dictionary_encode()
    codes = codes_of(distinct)[codes_of(names)]
    carries = changed[codes_of(names)]
    found = _with_routes(batch, np.flatnonzero(carries), codes, distinct.dictionary)
    raw = pa.DictionaryArray.from_arrays(pa.array(codes_of(names), mask=~carries), recorded)
    return SpanNames(found, raw)


def _with_routes(
    batch: SpanBatch, rows: npt.NDArray[np.int64], codes: npt.NDArray[np.int32], names: pa.StringArray
) -> pa.DictionaryArray:
    """The `names` by `codes`, with the recorded route, if any, in those of the spans `rows`."""
    lists, keys, values = list_parts(batch.spans["attributes"])
    key = keys.dictionary.to_pylist()
    if ROUTE_KEY not in key:
        return pa.DictionaryArray.from_arrays(pa.array(codes), names)
    entries = np.flatnonzero(codes_of(keys) == key.index(ROUTE_KEY))
    owner = np.searchsorted(lists, entries, side="right") - 1
    entries, owner = entries[np.isin(owner, rows)], owner[np.isin(owner, rows)]
    routes = values.take(pa.array(entries)).fill_null("").dictionary_encode()
    _, first, inverse = np.unique(
        codes[owner].astype(np.int64) * (len(routes.dictionary) + 1) + codes_of(routes),
        return_index=True,
        return_inverse=True,
    )
    name, route = names.to_pylist(), routes.to_pylist()
    replaced = [
        with_route(name[codes[owner[i]]], route[i]) if route[i] else name[codes[owner[i]]] for i in first.tolist()
    ]
    codes = codes.copy()
    codes[owner] = len(names) + inverse
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([*name, *replaced], pa.string()))
