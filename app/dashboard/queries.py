"""The parts of the SQL page: the relations, example queries, the editor, and the answer in several forms."""

import csv
import io
from html import escape

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from overbudget.app.dashboard import asking
from overbudget.app.dashboard.components.editor import editor
from overbudget.app.dashboard.cookbook import COOKBOOK
from overbudget.app.dashboard.sidebar import kept, to_url
from overbudget.app.dashboard.view import View
from overbudget.app.server.questions.bounded_answer import said_of
from overbudget.app.text.csv_cells import csv_cell
from overbudget.store.relations import RELATIONS

KEY = "query"


def relations(view: View) -> None:
    """Every relation with its comment, its columns folded away."""
    comments = dict(
        view.connection.execute(
            """SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'
               UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'main'"""
        ).fetchall()
    )
    rows = view.connection.execute(
        """SELECT table_name, column_name, data_type, left(comment, 1000) FROM duckdb_columns()
           WHERE schema_name = 'main' AND list_contains($names, table_name) ORDER BY column_index""",
        {"names": list(RELATIONS)},
    ).fetchall()
    for relation in RELATIONS:
        with st.expander(relation):
            columns = "".join(
                f"<dt>{escape(name)} <small>{escape(kind)}</small></dt><dd>{escape(comment or '')}</dd>"
                for table, name, kind, comment in rows
                if table == relation
            )
            st.html(f'<div class="ob-columns"><p>{escape(comments.get(relation) or "")}.</p><dl>{columns}</dl></div>')


def written() -> str:
    """The query in the editor: an example or the user's own, kept in the URL. A link fills it in, and runs nothing."""
    names = list(COOKBOOK)
    st.selectbox("Examples", names, None, key="example", placeholder="Choose a question", on_change=_take_example)
    chosen = kept(KEY)
    text = COOKBOOK[names[0]] if chosen is None else chosen
    editor(text, "editor", "Query", _take, _run)
    to_url(KEY, text)
    return text


def _take(text: str) -> None:
    st.session_state[KEY] = text


def _run(text: str) -> None:
    _take(text)
    asking.run(text)


def _take_example() -> None:
    if name := st.session_state.get("example"):
        st.session_state[KEY] = COOKBOOK[name]


def show(answer: pa.Table) -> None:
    """Show the answer as a table and a chart, with what was left out of it, and downloads."""
    table, picture = st.tabs(["Table", "Chart"])
    with table:
        st.dataframe(answer, hide_index=True, alt="The answer")
    with picture:
        _chart(answer.slice(0, 5_000).to_pandas())
    st.caption(" ".join(said_of(answer)))
    row = st.container(horizontal=True)
    row.download_button("CSV", lambda: _as_csv(answer), "answer.csv", "text/csv", on_click="ignore")
    kind = "application/vnd.apache.parquet"
    row.download_button("Parquet", lambda: _as_parquet(answer), "answer.parquet", kind, on_click="ignore")


def _chart(frame: pd.DataFrame) -> None:
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    others = [name for name in frame.columns if name not in numbers]
    if not numbers or len(frame) < 2:
        st.caption("A chart needs a column of numbers and two rows at least.")
        return
    if others:
        st.bar_chart(frame.head(200), x=others[0], y=numbers[0], horizontal=True)
    else:
        st.line_chart(frame.head(5_000), x=numbers[0] if len(numbers) > 1 else None, y=numbers[-1])


def _as_csv(answer: pa.Table) -> str:
    """CSV in which no cell is a formula to a spreadsheet: such texts get a leading apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(map(csv_cell, answer.column_names))
    for row in zip(*(column.to_pylist() for column in answer.columns), strict=True):
        writer.writerow([csv_cell(value) if isinstance(value, str) else value for value in row])
    return file.getvalue()


def _as_parquet(answer: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(answer.replace_schema_metadata(None), file)
    return file.getvalue()


def notebook_cell(dataset: str, query: str) -> str:
    """Python that asks the same in a notebook."""
    plain_text = '"""' not in query and "\\" not in query and not query.endswith('"')
    asked = f'"""\n{query}\n"""' if plain_text else repr(query)
    return f'import duckdb\n\ndb = duckdb.connect("{dataset}.duckdb", read_only=True)\ndb.sql({asked}).df()'
