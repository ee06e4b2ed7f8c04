"""Ids as they are stored, whatever form a dump writes them in. The original text is kept where the id does not show it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import ATTRIBUTES
from overbudget.ingest.formats.cleaning import ID_BAD, ID_NONE, ID_OK, check_ids
from overbudget.ingest.report import FileReport
from overbudget.kernels.content_hash import list_parts
from overbudget.kernels.text_ids import id_of_text

TRACE_KEY, SPAN_KEY = "recorded.trace_id", "recorded.span_id"  # attributes of spans: the text that an id was made from


class Ids(NamedTuple):
    """A column of ids."""

    ids: pa.StringArray  # lower-case hex, zeros where there is none
    what: npt.NDArray[np.uint8]  # ID_OK or ID_NONE of each
    rows: npt.NDArray[np.int64]  # of the ids that were made from a text which does not show in them …
    texts: pa.StringArray  # … and that text


def usable_ids(column: pa.StringArray, digits: int, report: FileReport | None = None) -> Ids:
    """Ids of `digits` hex digits from a column of text; any text is one (kernels.text_ids.id_of_text)."""
    ids, what = check_ids(column, digits)
    rows = np.flatnonzero(what == ID_BAD)
    if not len(rows):
        return Ids(ids, what, rows, pa.array([], pa.string()))
    written = column.take(pa.array(rows)).dictionary_encode()
    made = [id_of_text(text, digits) for text in written.dictionary.to_pylist()]
    codes = written.indices.to_numpy()
    found = pa.array([one or "0" * digits for one, _ in made], pa.string()).take(written.indices)
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    what[rows] = np.array([ID_OK if one else ID_NONE for one, _ in made], np.uint8)[codes]
    if report is not None:
        report.warn("text_ids", f"{written[0].as_py()} became {found[0].as_py()}", len(rows))
    hashed = np.array([lost for _, lost in made], np.bool_)[codes]
    return Ids(
        pc.replace_with_mask(ids, pa.array(mask), found),
        what,
        rows[hashed],
        written.cast(pa.string()).filter(pa.array(hashed)),
    )


def with_recorded_ids(attributes: pa.ListArray, trace: Ids, span: Ids) -> pa.ListArray:
    """The attributes of spans, with the text of ids that were made from one."""
    for key, made in ((TRACE_KEY, trace), (SPAN_KEY, span)):
        if len(made.rows):
            attributes = _with(attributes, key, made)
    return attributes


def _with(attributes: pa.ListArray, key: str, made: Ids) -> pa.ListArray:
    """The lists with one entry more at the end of those of `made.rows`."""
    lists, keys, values = list_parts(pa.chunked_array([attributes]))
    order = np.arange(len(values), dtype=np.int64)
    order = np.insert(order, lists[made.rows + 1], len(values) + np.arange(len(made.rows)))
    names = pa.array([*keys.dictionary.to_pylist(), key], pa.string())
    codes = np.append(keys.indices.to_numpy(), np.full(len(made.rows), len(names) - 1, np.int32))[order]
    more = np.zeros(len(lists), np.int32)
    more[made.rows + 1] = 1
    entries = pa.StructArray.from_arrays(
        [pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names),
         pa.concat_arrays([values, made.texts]).take(pa.array(order))],
        fields=list(ATTRIBUTES.value_type),
    )  # fmt: skip
    return pa.ListArray.from_arrays(pa.array((lists + np.cumsum(more)).astype(np.int32)), entries, type=ATTRIBUTES)
