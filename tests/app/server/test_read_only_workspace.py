"""A workspace that cannot be written is served for reading; what would change it is refused in a sentence."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from overbudget.app.server.upload import HEADER, PATH
from scripts.torture import faults
from tests.browser.conftest import answers
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="a failing disk is preloaded on Linux alone"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="a failing disk is compiled"),
]


@pytest.mark.parametrize(("error", "why"), [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left")])
def test_it_starts_and_refuses_an_upload_in_a_sentence(error: int, why: str, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    faults.ingest([faults.dump(tmp_path / "dump.jsonl", 1)], workspace / "d.duckdb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    armed = {"FAILING_DISK_BELOW": str(workspace), "FAILING_DISK_AT": "1", "FAILING_DISK_ERROR": str(error)}
    environment = {**os.environ, **armed, "FAILING_DISK_LASTING": "1", "LD_PRELOAD": str(faults.library(tmp_path))}
    line = [sys.executable, "-m", "overbudget.app.cli", "serve", "--workspace", str(workspace), "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        until(lambda: answers(server, f"http://localhost:{port}", tmp_path), "the server answers")
        upload = urllib.request.Request(
            f"http://localhost:{port}{PATH}?name=a.jsonl", b"{}", {HEADER: "1"}, method="PUT"
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(upload, timeout=60)
        assert refused.value.code == 507
        assert json.loads(refused.value.read())["error"].startswith(f"a.jsonl could not be stored: {why}")
    finally:
        server.terminate()
        server.wait()
    said = (tmp_path / "log").read_text()
    assert f"{workspace} cannot be written ({why}" in said
    assert "its datasets are shown; none is added, renamed or deleted." in said
    assert "Traceback" not in said
    assert [path.name for path in workspace.iterdir()] == ["d.duckdb"]
