"""Attribute values that the kernels copy undecoded, as text."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from overbudget.ingest.formats.buffers import BYTES, DOUBLE, FLOAT, KVLIST, LIST
from overbudget.ingest.formats.cleaning import text_of_doubles
from overbudget.ingest.formats.json.values import json_text


def text_of_kind(values: pa.BinaryArray, kind: int) -> pa.StringArray:
    """Values of one kind (see ingest.formats.buffers), without nulls, as text.

    Errors: pa.ArrowInvalid where one does not match its kind.
    """
    if kind == DOUBLE:
        return text_of_doubles(values.cast(pa.string()).cast(pa.float64()))
    if kind == FLOAT:
        return text_of_doubles(pa.array(np.frombuffer(b"".join(values.to_pylist()), np.float64)))
    from google.protobuf.message import DecodeError  # takes long to import

    seen: dict[bytes, str] = {}
    text = _TEXT[kind]
    try:
        for value in values.to_pylist():
            if value not in seen:
                seen[value] = text(value)
    except DecodeError as error:
        raise pa.ArrowInvalid(f"a nested value is no message: {error}") from error
    return pa.array([seen[value] for value in values.to_pylist()], pa.string())


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _json_of_list(value: bytes) -> str:
    from opentelemetry.proto.common.v1.common_pb2 import ArrayValue

    return json_text([_plain(one) for one in ArrayValue.FromString(value).values])


def _json_of_kvlist(value: bytes) -> str:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValueList

    return json_text({entry.key: _plain(entry.value) for entry in KeyValueList.FromString(value).values})


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {entry.key: _plain(entry.value) for entry in value.kvlist_value.values}
    if kind == "bytes_value":
        return _base64(value.bytes_value)
    return getattr(value, kind) if kind else None


_TEXT: dict[int, Callable[[bytes], str]] = {BYTES: _base64, LIST: _json_of_list, KVLIST: _json_of_kvlist}
