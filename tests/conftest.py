"""How the tests run side by side, what is tried at random, and that none is left out where all are asked for.

`make test` parts them among processes. A module's tests stay together, so that what they share is made once; all browser
tests do, so that there is one server and one browser, and they begin first, because they take longest. (The scheduling is our
own because marks for xdist's `loadgroup` have had no effect since pytest 9.2; that modules stay together is checked at the end.)

hypothesis tries the same examples each time and has no deadline, because a machine may be slow and busy. New examples:
`pytest --hypothesis-profile=explore`. `make mutants` asks for few and never for the smallest example of a failure.
"""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import Phase, settings
from xdist.scheduler import LoadScopeScheduling

BROWSER = "tests/browser/"

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.register_profile(
    "mutants", deadline=None, derandomize=True, max_examples=40, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail where a test is skipped")


def together(nodeid: str) -> str:
    """What a test stays together with in one process: its module, or all that drive a browser."""
    return BROWSER if nodeid.startswith(BROWSER) else nodeid.partition("::")[0]


class ByModule(LoadScopeScheduling):
    """xdist's scheduling of whole scopes, with ours."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: together(item.nodeid) != BROWSER)


_ran_in: dict[str, set[str]] = defaultdict(set)  # what stays together → the processes that ran it


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if (node := getattr(report, "node", None)) is not None:
        _ran_in[together(report.nodeid)].add(node.gateway.id)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    if parted := [name for name, processes in _ran_in.items() if len(processes) > 1]:
        reporter.write_line(
            f"{', '.join(parted[:3])} did not stay in one process: how tests are parted is broken", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if not session.config.getoption("--no-skips"):
        return
    skipped = len(reporter.stats.get("skipped", ()))
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{skipped} skipped, and none may be (--no-skips)", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
