"""Libraries that only some answers need, and which extra of overbudget installs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from overbudget.store.errors import OverbudgetError


@contextmanager
def needs(library: str, extra: str, what: str) -> Iterator[None]:
    """Around the import of `library`, which `what` needs and the extra `extra` installs.

    Errors: OverbudgetError that says what to type, where the library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != library:
            raise
        raise OverbudgetError(
            f"{what} needs {library}, which is not installed. Install it with: pip install 'overbudget[{extra}]'"
        ) from error
