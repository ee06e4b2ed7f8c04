"""The process that answers one query: it reads the question from its input, writes the answer to its output, and ends.

It waits for its question with everything loaded, so that an answer does not wait for it. It holds nothing that the query could
harm: the server watches its memory and time from outside, and kills it. It ends when the server does, whose end of the pipe closes.
"""

import json
import os
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa

from overbudget.app.server.questions.bounded_answer import Bounds, bounded
from overbudget.store.dataset import Space, open_dataset
from overbudget.store.errors import OverbudgetError
from overbudget.store.limits import limit
from overbudget.store.query import asked, columns_of, rows_of

REFUSED = 3  # exit status: what was written is a sentence, not an answer
NICE = 10  # pages come first


def main() -> None:
    """Answer the question that comes; end without one where the input ends."""
    os.nice(NICE)
    duckdb.connect(config={"threads": "1"}).close()  # the first one takes a tenth of a second
    question = sys.stdin.buffer.readline()
    if not question:
        return
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    try:
        table = _answer(**json.loads(question))
    except OverbudgetError as error:
        _write(str(error).encode())
        os._exit(REFUSED)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    _write(sink.getvalue())
    os._exit(0)


def _answer(dataset: str, query: str, spill_to: str) -> pa.Table:
    space = Space(limit("query_memory") // 2, limit("query_spill"), Path(spill_to))
    with asked(open_dataset(dataset, space), query) as cursor:
        return bounded(columns_of(cursor), rows_of(cursor), Bounds.named())


def _write(content: bytes | pa.Buffer) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _end_with_the_server() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
