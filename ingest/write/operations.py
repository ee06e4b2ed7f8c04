"""The operation of each span: batches go in, operation numbers come out, and the catalogue of operations grows.

An operation is a distinct combination of what classification looks at (docs/reference/method.md, Operations and stages). Each span is hashed over
that combination in one pass; only the first span of an operation is ever looked at as an object.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from overbudget.ingest.batch import SpanBatch
from overbudget.ingest.write.facts import FACT_NAMES
from overbudget.kernels.content_hash import (
    codes_of,
    hash_bytes,
    hash_strings,
    list_parts,
    one_chunk,
    string_buffers,
)
from overbudget.kernels.jit import READ_BOOL, READ_I8, READ_I32, READ_U8, READ_U64, kernel
from overbudget.kernels.mix import mix
from overbudget.stages import attribute_keys
from overbudget.stages.conventions import VECTOR_QUERY
from overbudget.stages.names import UNKNOWN_SERVICE

CALL_KINDS = ("CLIENT", "PRODUCER")

# The role of an attribute key in the identity of an operation.
IGNORED, BY_VALUE, BY_PRESENCE, BY_VALUE_OF_CALLS = range(4)

OPERATIONS = pa.schema(
    [
        ("operation_id", pa.int32()),
        ("service_name", pa.string()),
        ("scope_name", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("keys", pa.map_(pa.string(), pa.string())),
    ]
)


def role_of_key(key: str) -> int:
    """The role of the attribute `key` in the identity of an operation (one of the four constants above)."""
    if key in attribute_keys.CLASSIFY_KEYS:
        return BY_VALUE
    if key in attribute_keys.PEER_KEYS:
        return BY_VALUE_OF_CALLS
    if (
        key == attribute_keys.VECTOR_QUERY_TEXT
        or key in attribute_keys.CLASSIFY_PRESENCE
        or key.startswith(attribute_keys.CLASSIFY_PREFIXES)
    ):
        return BY_PRESENCE
    return IGNORED


@kernel(
    signature=f"uint64[:]({READ_U64}, {READ_BOOL}, {READ_I32}, {READ_I32}, {READ_I8}, {READ_U64}, {READ_I32}, {READ_U8})"
)
def _add_keys(base, is_call, lists, codes, role, key_hashes, offsets, data):
    out = base.copy()
    for i in range(out.size):
        for j in range(lists[i], lists[i + 1]):
            r = role[codes[j]]
            if r == 0 or (r == 3 and not is_call[i]):
                continue
            value = np.uint64(0) if r == 2 else hash_bytes(data, offsets[j], offsets[j + 1])
            out[i] += mix(key_hashes[codes[j]] ^ mix(value + np.uint64(1)))
    return out


def _combine(parts: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """One hash of several columns of hashes; the order of the columns counts."""
    combined = np.zeros(len(parts[0]), np.uint64)
    with np.errstate(over="ignore"):
        for salt, part in enumerate(parts):
            combined = (combined ^ part) * np.uint64(0x9E3779B97F4A7C15 + 2 * salt)
            combined ^= combined >> np.uint64(29)
    return combined


def service_names(resources: pa.Table) -> pa.StringArray:
    """The service.name of each resource, UNKNOWN_SERVICE where it has none."""
    lists, keys, values = list_parts(resources["attributes"])
    names = np.full(resources.num_rows, -1, np.int64)
    if len(keys):
        where = np.flatnonzero(pc.equal(keys, "service.name").to_numpy(zero_copy_only=False))
        names[np.searchsorted(lists, where, side="right") - 1] = where
    found = values.take(pa.array(names, mask=names < 0))
    return pc.if_else(pc.equal(pc.fill_null(found, ""), ""), UNKNOWN_SERVICE, found)


class OperationCatalog:
    """All operations so far; `encode` numbers the spans of a batch by them."""

    def __init__(self) -> None:
        self._id_of_hash: dict[int, int] = {}
        self._chunks: list[pa.Table] = []

    def encode(self, batch: SpanBatch, templates: pa.DictionaryArray) -> npt.NDArray[np.int32]:
        """int32[spans of the batch]: the operation_id of each span, called as in `templates`. New operations enter the
        catalogue."""
        spans = batch.spans
        resource = spans["resource"].to_numpy()
        scope = spans["scope"].to_numpy()
        services = service_names(batch.resources)
        scopes = one_chunk(batch.scopes["name"])
        names, kinds = templates, one_chunk(spans["kind"])
        base = _combine(
            [hash_strings(services)[resource], hash_strings(scopes)[scope], hash_strings(names), hash_strings(kinds)]
        )
        is_call = np.append(np.isin(np.array(kinds.dictionary.to_pylist(), dtype=object), CALL_KINDS), False)[
            codes_of(kinds)
        ]
        lists, keys, values = list_parts(spans["attributes"])
        keys = _with_vector_queries(keys, values)
        role = np.array([role_of_key(key) for key in keys.dictionary.to_pylist()], np.int8)
        hashes = base
        if role.any():
            hashes = _add_keys(
                base, is_call, lists, codes_of(keys), role, hash_strings(keys.dictionary), *string_buffers(values)
            )
        distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        new = np.array([h not in self._id_of_hash for h in distinct.tolist()], bool)
        if new.any():
            rows = first[new]
            start = len(self._id_of_hash)
            self._id_of_hash.update(zip(distinct[new].tolist(), range(start, start + len(rows)), strict=True))
            self._chunks.append(
                pa.table(
                    [
                        pa.array(np.arange(start, start + len(rows), dtype=np.int32)),
                        services.take(pa.array(resource[rows])),
                        scopes.take(pa.array(scope[rows])),
                        names.take(pa.array(rows)).cast(pa.string()),
                        kinds.take(pa.array(rows)).cast(pa.string()),
                        _identity_keys(rows, is_call, lists, keys, values, role),
                    ],
                    schema=OPERATIONS,
                )
            )
        ids = np.array([self._id_of_hash[h] for h in distinct.tolist()], np.int32)
        return ids[inverse]

    def table(self) -> pa.Table:
        """The operations with the schema OPERATIONS, in the order of their ids."""
        return pa.concat_tables(self._chunks) if self._chunks else OPERATIONS.empty_table()

    @classmethod
    def of(cls, operations: pa.Table) -> "OperationCatalog":
        """A catalogue that continues the operations of an existing dataset."""
        catalog = cls()
        if operations.num_rows == 0:
            return catalog
        columns = [
            hash_strings(operations[name].cast(pa.string())) for name in ("service_name", "scope_name", "name", "kind")
        ]
        base = _combine(columns)
        maps = one_chunk(operations["keys"])
        keys = maps.keys.dictionary_encode()
        role = np.array([role_of_key(key) for key in keys.dictionary.to_pylist()], np.int8)
        is_call = np.isin(np.array(operations["kind"].to_pylist(), dtype=object), CALL_KINDS)
        lists = maps.offsets.to_numpy().astype(np.int32)
        hashes = _add_keys(
            base, is_call, lists, codes_of(keys), role, hash_strings(keys.dictionary), *string_buffers(maps.items)
        )
        catalog._id_of_hash = dict(zip(hashes.tolist(), operations["operation_id"].to_pylist(), strict=True))
        catalog._chunks = [operations.select(OPERATIONS.names).cast(OPERATIONS)]
        return catalog


def _with_vector_queries(keys: pa.DictionaryArray, values: pa.StringArray) -> pa.DictionaryArray:
    """The keys, with those of queries that ask for vectors replaced by a key that says so: the text of a query does not
    distinguish operations otherwise."""
    known = keys.dictionary.to_pylist()
    codes = codes_of(keys)
    queries = [known.index(key) for key in attribute_keys.QUERY_KEYS if key in known]
    if not queries:
        return keys
    entries = np.flatnonzero(np.isin(codes, queries))
    asks = pc.match_substring_regex(values.take(pa.array(entries)), VECTOR_QUERY).fill_null(False)
    if not pc.any(asks).as_py():
        return keys
    codes = codes.copy()
    codes[entries[asks.to_numpy(zero_copy_only=False)]] = len(known)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes), pa.array([*known, attribute_keys.VECTOR_QUERY_TEXT], pa.string())
    )


def with_records(connection: duckdb.DuckDBPyConnection, operations: pa.Table) -> pa.Table:
    """The operations, with keys added for what their spans record: a model, tokens.

    These are not part of an operation's identity, because a failed call may record less. Needs the temporary table `facts`.
    """
    found = connection.execute(_RECORDS).fetchall()
    if not found:
        return operations
    records: dict[int, list[str]] = {}
    for operation, fact in found:
        said = attribute_keys.MODEL_RECORDED if fact == FACT_NAMES.index("model") else attribute_keys.TOKENS_RECORDED
        records.setdefault(operation, []).append(said)
    keys = [dict(of) for of in operations["keys"].to_pylist()]
    for place, operation in enumerate(operations["operation_id"].to_pylist()):
        for said in records.get(operation, ()):
            keys[place].setdefault(said, None)
    column = pa.array([list(of.items()) for of in keys], OPERATIONS.field("keys").type)
    return operations.set_column(operations.schema.get_field_index("keys"), "keys", column)


_RECORDS = f"""SELECT DISTINCT s.operation_id, f.fact FROM facts f JOIN data.spans s USING (span_no)
    WHERE f.fact IN ({FACT_NAMES.index("model")}, {FACT_NAMES.index("input_tokens")}) AND f.value NOT IN ('', '0')
    ORDER BY ALL"""


def _identity_keys(
    rows: npt.NDArray[np.integer],
    is_call: npt.NDArray[np.bool_],
    lists: npt.NDArray[np.int32],
    keys: pa.DictionaryArray,
    values: pa.StringArray,
    role: npt.NDArray[np.int8],
) -> pa.MapArray:
    """The attributes that went into the identity of the spans `rows`, as maps; keys by presence have a null value."""
    counts = lists[rows + 1] - lists[rows]
    entries = np.repeat(lists[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
    owner = np.repeat(np.arange(len(rows)), counts)
    roles = role[codes_of(keys)[entries]] if len(role) else np.zeros(0, np.int8)
    wanted = (roles != IGNORED) & ((roles != BY_VALUE_OF_CALLS) | is_call[rows][owner])
    entries, owner, roles = entries[wanted], owner[wanted], roles[wanted]
    offsets = np.searchsorted(owner, np.arange(len(rows) + 1)).astype(np.int32)
    kept = values.take(pa.array(entries, mask=roles == BY_PRESENCE))
    return pa.MapArray.from_arrays(pa.array(offsets), keys.take(pa.array(entries)).cast(pa.string()), kept)
