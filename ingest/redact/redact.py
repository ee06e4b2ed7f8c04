"""Span batches without what a redaction forbids. A batch goes through `of_text` when it is read, and through `of_content`
once its operations are known: whether a query asks for vectors is told by its text."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import ATTRIBUTES, Evaluation, SpanBatch
from overbudget.ingest.redact.withheld import blotter, namer, withholder
from overbudget.kernels.content_hash import codes_of, list_parts, one_chunk
from overbudget.stages.attribute_keys import (
    ASKS_TOOL_TEXT,
    ASKS_TOOL_WITHHELD,
    QUERY_KEYS,
    QUERY_PLACEHOLDER,
    WRITTEN_KEYS,
)
from overbudget.stages.redaction import Redaction, is_content, is_known

LONGEST_KNOWN = (
    200  # characters; a longer text under a key that we do not know may be content, as prose may: it is withheld
)
_GAP = r"(?:\s|\+|%20)+"  # between words, in a query string too
_UNSPACED = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\W?"  # scripts without gaps between words
)


def _prose(words: int) -> str:
    """A pattern of texts of so many words and more, or of three times as many characters of a script without gaps."""
    return rf"(?:\S+?{_GAP}){{{words - 1}}}\S|(?:{_UNSPACED}){{{3 * words}}}"


PROSE_VALUE = _prose(
    5
)  # a value that says something: the recorded ones of 35 frameworks that we read have four words at most
PROSE_NAME = _prose(6)  # of their names of spans one has five: `Turn {turn} for agent Weather`
_PLAIN = r"^(?:-?[0-9.]+(?:[eE][+-]?[0-9]+)?|true|false|NaN|-?Infinity|)$"  # no text: numbers, true and false, nothing
_TEXTS = {  # columns of text, apart from attributes
    "spans": ("name", "trace_state", "status_message"), "events": ("name",), "links": ("trace_state",),
    "scopes": ("name", "version"), "resources": (),
}  # fmt: skip


class Redactor:
    """Applies one redaction to the batches of one ingest."""

    def __init__(self, redaction: Redaction, key: bytes | None = None) -> None:
        secret = secrets.token_bytes(16) if key is None else key
        self._redaction, self._withheld = redaction, withholder(secret)
        self._patterns = [(pattern, re.compile(pattern)) for pattern in redaction.all_patterns]
        self._blotted, self._named = blotter(secret), namer(secret)

    def of_text(self, batch: SpanBatch) -> SpanBatch:
        """Without the attributes whose keys are to be left out, and every text without what the patterns match."""
        tables = {}
        for table, columns in _TEXTS.items():
            rows: pa.Table = getattr(batch, table)
            if self._redaction.no_content and table in ("spans", "events"):
                rows = _with(rows, "name", self._without_prose(one_chunk(rows["name"])))
            for name in columns:
                rows = _with(rows, name, self._without_matches(one_chunk(rows[name])))
            tables[table] = _with(rows, "attributes", self._attributes(rows["attributes"]))
        return replace(batch, **tables, evaluations=_changed(batch.evaluations, self._attributes))

    def of_content(self, batch: SpanBatch) -> SpanBatch:
        """With what people, models and tools said withheld: lengths and hashes stand in its place."""
        if not self._redaction.no_content:
            return batch
        spans = _with(batch.spans, "status_message", self._withhold_all(one_chunk(batch.spans["status_message"])))
        spans = _with(spans, "attributes", self._contents(spans["attributes"]))
        inner = {
            name: _with(getattr(batch, name), "attributes", self._contents(getattr(batch, name)["attributes"]))
            for name in ("events", "links", "resources", "scopes")
        }
        return replace(batch, spans=spans, **inner, evaluations=_changed(batch.evaluations, self._contents))

    def _without_prose(self, names: pa.Array) -> pa.Array:
        """A column of names, dictionary or not, those withheld that are whole sentences. Different ones stay different."""
        if pa.types.is_dictionary(names.type):
            return pa.DictionaryArray.from_arrays(names.indices, self._without_prose(names.dictionary))
        return _mapped(names, pc.match_substring_regex(names, PROSE_NAME).fill_null(False), self._named)

    def _without_matches(self, texts: pa.Array) -> pa.Array:
        """A column of text, dictionary or not, with what the patterns match blotted out."""
        if pa.types.is_dictionary(texts.type):
            names = self._without_matches(texts.dictionary)
            return pa.DictionaryArray.from_arrays(texts.indices, names) if names is not texts.dictionary else texts
        for pattern, compiled in self._patterns:
            found = pc.match_substring_regex(texts, pattern).fill_null(False)
            texts = _mapped(texts, found, partial(compiled.sub, self._blot))
        return texts

    def _blot(self, match: re.Match[str]) -> str:
        return self._blotted(match[0])

    def _attributes(self, attributes: pa.ChunkedArray) -> pa.ListArray:
        lists, keys, values = list_parts(attributes)
        keys, values = one_chunk(keys), one_chunk(values)
        out = np.array([self._redaction.leaves_out(key) for key in keys.dictionary.to_pylist()] + [False], bool)
        if out.any():
            kept = ~out[codes_of(keys)]
            lists = np.concatenate([[0], np.cumsum(kept)])[lists].astype(np.int32)
            keys, values = keys.filter(pa.array(kept)), values.filter(pa.array(kept))
        return _lists(lists, _distinct(self._without_matches(keys)), self._without_matches(values))

    def _contents(self, attributes: pa.ChunkedArray) -> pa.ListArray:
        lists, keys, values = list_parts(attributes)
        keys, values = one_chunk(keys), one_chunk(values)
        names, codes = keys.dictionary.to_pylist(), codes_of(keys)
        said = np.array([is_content(name) for name in names] + [False], bool)[codes]
        unknown = np.array([not is_known(name) for name in names] + [False], bool)[codes]
        long = _flags(pc.greater(pc.utf8_length(values), LONGEST_KNOWN)) | _flags(
            pc.match_substring_regex(values, PROSE_VALUE)
        )
        text = ~_flags(pc.match_substring_regex(values, _PLAIN))
        withheld = (said | (unknown & long)) & text
        queries, answers = (
            np.array([name in known for name in names] + [False], bool)[codes] for known in (QUERY_KEYS, WRITTEN_KEYS)
        )
        values = _mapped(values, pa.array(withheld & queries), self._query_withheld)
        values = _mapped(values, pa.array(withheld & answers), self._answer_withheld)
        return _lists(lists, keys, _mapped(values, pa.array(withheld & ~queries & ~answers), self._withheld))

    def _query_withheld(self, text: str) -> str:
        """One that has placeholders is no whole input, also once its text is gone."""
        return self._withheld(text) + (" with ?" if re.search(QUERY_PLACEHOLDER, text) else "")

    def _answer_withheld(self, text: str) -> str:
        """One that calls a tool is not the last of its request, also once its text is gone."""
        return self._withheld(text) + (f" {ASKS_TOOL_WITHHELD}" if re.search(ASKS_TOOL_TEXT, text) else "")

    def _withhold_all(self, texts: pa.StringArray) -> pa.StringArray:
        return _mapped(texts, pc.not_equal(texts, "").fill_null(False), self._withheld)


def _changed(
    evaluations: Sequence[Evaluation], change: Callable[[pa.ChunkedArray], pa.ListArray]
) -> tuple[Evaluation, ...]:
    """The evaluations with their attributes changed as those of spans are."""
    if not evaluations:
        return ()
    pairs = [pair for one in evaluations for pair in one.attributes]
    ends = np.cumsum([0, *(len(one.attributes) for one in evaluations)]).astype(np.int32)
    keys, values = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    found = change(pa.chunked_array([_lists(ends, keys.dictionary_encode(), values)])).to_pylist()
    told = (tuple((pair["key"], pair["value"]) for pair in attributes) for attributes in found)
    return tuple(one._replace(attributes=attributes) for one, attributes in zip(evaluations, told, strict=True))


def _flags(column: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False))


def _mapped(texts: pa.StringArray, where: pa.BooleanArray, change: Callable[[str], str]) -> pa.StringArray:
    """The texts, changed where the mask says; each distinct one is looked at once."""
    chosen = texts.filter(where)
    if len(chosen) == 0:
        return texts
    coded = chosen.dictionary_encode()
    changed = pa.array([None if text is None else change(text) for text in coded.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(texts, where, changed.take(coded.indices))


def _distinct(keys: pa.DictionaryArray) -> pa.DictionaryArray:
    """Keys with each name once in their dictionary."""
    return (
        keys
        if len(set(keys.dictionary.to_pylist())) == len(keys.dictionary)
        else keys.dictionary_decode().dictionary_encode()
    )


def _lists(lists: npt.NDArray[np.int32], keys: pa.DictionaryArray, values: pa.StringArray) -> pa.ListArray:
    entries = pa.StructArray.from_arrays([keys, values], fields=list(ATTRIBUTES.value_type))
    return pa.ListArray.from_arrays(pa.array(lists), entries, type=ATTRIBUTES)


def _with(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    place: int = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), column)
