"""An analysis' answer for notebooks, scripts and data frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from overbudget.answers.tables import Rows, readable, table_html, tables_in
from overbudget.app.extras import needs
from overbudget.app.html.prose import prose
from overbudget.store.errors import OverbudgetError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """How an answer is shown: its sentences, its tables by name (the first is the main one), and the main one for people."""

    sentences: Sequence[str]
    tables: Mapping[str, Rows]
    shown: Rows
    picture: str = ""  # HTML, where the answer has one that needs no script


class Answer(Generic[T]):
    """The answer of an analysis. `result` is the analysis' dataclass; a notebook shows the answer with its tables.

    `str(answer)` gives the same sentences as the dashboard and the command line.
    """

    def __init__(
        self,
        result: T,
        as_dict: Callable[[], dict[str, Any]],
        form: Callable[[], Form],
        figure: Callable[[], "go.Figure"] | None = None,
    ) -> None:
        self.result = result
        self._as_dict, self._form, self._figure = as_dict, form, figure

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists: what the command of the same name prints with --json. Times are integers of ns."""
        return self._as_dict()

    @property
    def tables(self) -> tuple[str, ...]:
        """The names that `frame` knows, the main table first."""
        return tuple(self._form().tables)

    def frame(self, table: str | None = None) -> "pd.DataFrame":
        """The main table, or the one named, as a pandas DataFrame with a row for each entry; times in ns.

        Errors: OverbudgetError where there is no such table, or pandas is not installed.
        """
        with needs("pandas", "notebook", "frame()"):
            import pandas as pd
        tables = self._form().tables
        name = table or next(iter(tables))
        if name not in tables:
            raise OverbudgetError(f"This answer has no table `{name}`; it has {', '.join(tables)}.")
        return pd.json_normalize([dict(row) for row in tables[name]])

    def figure(self) -> "go.Figure":
        """The chart that the dashboard draws of it, as a Plotly figure.

        Errors: OverbudgetError where this kind of answer has no chart, or Plotly is not installed.
        """
        if self._figure is None:
            raise OverbudgetError("This kind of answer has no chart; its table is .frame().")
        with needs("plotly", "notebook", "figure()"):
            import plotly.graph_objects  # noqa: F401
        return self._figure()

    def __str__(self) -> str:
        return "\n".join(self._form().sentences)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The sentences and the main table. Every text is escaped; colours are the notebook's."""
        form = self._form()
        said = [prose(sentence) for sentence in form.sentences]
        parts = [f"<p><strong>{said[0]}</strong></p>"] if said else []
        parts += [f"<p>{sentence}</p>" for sentence in said[1:]]
        return f"<div>{''.join(parts)}{table_html(form.shown)}{form.picture}</div>"


def form_of(sentences: Sequence[str], said: Mapping[str, Any], main: str) -> Form:
    """The form of an answer whose table is the list `main` of its JSON."""
    found = tables_in(said)
    rows = found.pop(main, ())
    return Form(sentences, {main: rows, **found}, readable(rows))
