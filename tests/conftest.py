"""How the tests run side by side, what is tried at random, and that none is left out where all are asked for.

`make test` parts them among processes by `xdist_group`. A module's tests stay together, so that what they share is made
once; all browser tests are one group, so that there is one server and one browser, and they begin first, because they
take longest.

hypothesis tries the same examples each time and has no deadline, because a machine may be slow and busy. New examples:
`pytest --hypothesis-profile=explore`. `make mutants` asks for few and never for the smallest example of a failure.
"""

import pytest
from hypothesis import Phase, settings

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.register_profile(
    "mutants", deadline=None, derandomize=True, max_examples=40, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail where a test is skipped")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        in_browser = "browser" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("browser" if in_browser else str(item.path)))
    items.sort(key=lambda item: "browser" not in getattr(item, "fixturenames", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--no-skips"):
        return
    skipped = len(reporter.stats.get("skipped", ()))
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} skipped, and none may be (--no-skips)", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
