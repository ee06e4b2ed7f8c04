"""Before the dashboard is served: the port is looked at, and samples of an older version are made again."""

import socket
from pathlib import Path

import pytest

from overbudget.app.server.access.settings import Access
from overbudget.app.server.serve import require_free, serve
from overbudget.store.errors import OverbudgetError


def test_a_taken_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OverbudgetError, match=f"Port {port} is taken by another program.*--port"):
            serve(tmp_path / "workspace", Access(port=port))
    assert not (tmp_path / "workspace").exists()


def test_a_free_port_is_fine() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    require_free(port)
