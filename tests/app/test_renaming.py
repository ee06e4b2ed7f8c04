"""Names decide nothing: services, hosts, routes, operations and values renamed one to one change no answer, up to the names.

The names here are words that no rule of classification knows. What is equal is told in an order that names do not decide
wherever a number, a time or the order of the trace can.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from overbudget.app.cli import app
from tests.span_dump import Span, dataset

PLAIN = [
    f"{first}{second}"
    for first in ("mab", "cod", "fug", "hik", "jol", "nop", "quz", "tyv")
    for second in ("ra", "le", "so")
]
TOKEN = re.compile("|".join(PLAIN))
WORD = {key: PLAIN[place] for place, key in enumerate(("front", "back", "store", "extra", "host0", "host1", "host2", "route0", "route1", "route2", "step0", "step1", "step2", "tenant0", "tenant1", "tenant2", "tenant3"))}  # fmt: skip


def world(slow: float) -> Iterator[list[Span]]:
    """Requests of three routes with calls to hosts, siblings of equal length, a tenant that is slow, and failures."""
    random = np.random.default_rng(11)
    for number in range(161):
        route, tenant = WORD[f"route{(0, 0, 0, 1, 1, 2)[number % 6]}"], WORD[f"tenant{random.integers(4)}"]
        took = 40 + random.integers(20) + (200 if tenant == WORD["tenant2"] and number % 4 == 0 else 0) + slow
        about = {"tenant": tenant, "http.request.method": "GET"}
        end = took + 100
        yield [
            Span(route, 0, end, service=WORD["front"], kind="server", attributes=about, failed=number % 23 == 0),
            *(
                Span(WORD["step0"], 5, 45, route, WORD["front"], "client", key=f"h{host}", attributes={"server.address": WORD[f"host{host}"]})
                for host in range(3)
            ),
            Span(WORD["step1"], 50, 50 + took, route, WORD["front"], "client", key="call"),
            Span(WORD["step1"], 52, 48 + took, "call", WORD["back"], "server", key="served"),
            Span(WORD["step2"], 55, 45 + took, "served", WORD["store"], key="chat", attributes={"gen_ai.operation.name": "chat"}),
            Span(WORD["extra"], 63 + took, 70 + took, route, WORD["extra"]),
            Span(WORD["step2"], 72 + took, 82 + took, route, WORD["back"]),
        ]  # fmt: skip


def renamed(spans: list[Span], to: dict[str, str]) -> list[Span]:
    def told(text: str) -> str:
        return TOKEN.sub(lambda found: to[found.group()], text)

    return [
        replace(
            span,
            name=told(span.name),
            service=told(span.service),
            parent=None if span.parent is None else told(span.parent),
            attributes={
                key: told(value) if isinstance(value, str) else value for key, value in span.attributes.items()
            },
        )
        for span in spans
    ]


def printed(*arguments: object) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        typer.main.get_command(app)([str(one) for one in (*arguments, "--json")], standalone_mode=False)
    return out.getvalue()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, str]], list[Path]]:
    """A one-to-one renaming each (the first changes nothing), and the folder with the world named by it."""
    random = np.random.default_rng(12)
    maps, folders = [], []
    for number in range(4):
        shuffled = random.permutation(PLAIN).tolist() if number else PLAIN
        maps.append(dict(zip(PLAIN, shuffled, strict=True)))
        folder = tmp_path_factory.mktemp(f"renamed{number}")
        for name, slow in (("now", 0.0), ("then", 30.0)):
            dataset(folder / f"{name}.duckdb", (renamed(spans, maps[-1]) for spans in world(slow)), 150).close()
        (folder / "budget.toml").write_text('[budget]\np95 = "220ms"\n[stages.inference]\np95 = "100ms"\n')
        folders.append(folder)
    return maps, folders


COMMANDS = {
    "review": ("review", "now.duckdb"),
    "review with a budget": ("review", "now.duckdb", "--budget", "budget.toml"),
    "tail": ("tail", "now.duckdb"),
    "whatif": ("whatif", "now.duckdb", "--scale", "inference=0.5"),
    "allocate": ("allocate", "now.duckdb", "--total", "p95=800ms"),
    "advise": ("advise", "now.duckdb"),
    "load": ("load", "now.duckdb", "--budget", "budget.toml"),
    "consistency": ("consistency", "now.duckdb", "--budget", "budget.toml"),
    "audit": ("audit", "now.duckdb"),
    "compare": ("compare", "now.duckdb", "then.duckdb"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_renaming_one_to_one_changes_no_answer(worlds, command: str) -> None:
    maps, folders = worlds
    answers = []
    for to, folder in zip(maps, folders, strict=True):
        back = {new: old for old, new in to.items()}
        called = [str(folder / one) if "." in one and "=" not in one else one for one in COMMANDS[command]]
        text = printed(*called).replace(str(folder), "")
        answers.append(json.loads(TOKEN.sub(lambda found, back=back: back[found.group()], text)))
    for other in answers[1:]:
        assert other == answers[0]
