"""Tables for Arrow without pandas, and texts as numbers."""

import numpy as np
import pyarrow as pa
import pytest

from overbudget.kernels.arrow import coded, coded_texts, numbers, table_of

TEXTS = ["b", "", "ä€😀", "b", "a" * 300]


def test_a_table_holds_what_it_is_given_as_arrow_itself_would_make_it() -> None:
    given = {"n": np.arange(10, dtype=np.int64)[::2], "short": np.array([3, -1, 0, 2, 5], np.int16)}
    made = table_of(**given, texts=TEXTS)
    assert made.equals(pa.table({**given, "texts": pa.array(TEXTS, pa.string())}))
    made.validate(full=True)


def test_a_table_may_be_empty() -> None:
    made = table_of(n=np.zeros(0, np.int32), texts=[])
    assert made.equals(pa.table({"n": pa.array([], pa.int32()), "texts": pa.array([], pa.string())}))


@pytest.mark.parametrize("texts", [TEXTS, [], ["a"]])
def test_texts_are_coded_as_a_column_of_them_is(texts: list[str]) -> None:
    column = coded(pa.chunked_array([pa.array(texts, pa.string())]))
    found = coded_texts(texts)
    assert (found.codes.tolist(), found.names) == (column.codes.tolist(), column.names)


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint64(), pa.float64()])
def test_a_column_without_chunks_is_an_empty_array_of_its_type(kind: pa.DataType) -> None:
    found = numbers(pa.chunked_array([], kind))
    assert (len(found), found.dtype) == (0, kind.to_pandas_dtype())
