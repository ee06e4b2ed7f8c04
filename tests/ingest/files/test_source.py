"""Dump files as the disk gives them."""

import errno
import io
from pathlib import Path

import pytest

from overbudget.ingest.files import source
from overbudget.ingest.pipeline import ingest
from overbudget.store.errors import OverbudgetError


def test_a_dump_that_cannot_be_read_to_its_end_is_not_taken_for_a_disk_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 1000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(1000)

    (tmp_path / "d.json").write_bytes(b"{" + b" " * 5000)
    monkeypatch.setattr(source, "open", lambda *_: Failing((tmp_path / "d.json").read_bytes()), raising=False)
    with pytest.raises(OverbudgetError, match=r"Cannot read .*d\.json: Input/output error"):
        ingest([tmp_path / "d.json"], tmp_path / "d.duckdb")
