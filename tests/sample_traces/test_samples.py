"""The sample traces: reproducible, and true to what was simulated."""

import gzip

import pytest

from overbudget.sample_traces.__main__ import DUMPS, files_of
from overbudget.sample_traces.scale import write
from overbudget.sample_traces.scenarios import SCENARIOS, simulate
from overbudget.sample_traces.service import Faults


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_samples_are_rewritten_byte_for_byte(scenario) -> None:  # type: ignore[no-untyped-def]
    for name, data in files_of(scenario).items():
        committed = (DUMPS / name).read_bytes()
        if name.endswith(".gz"):  # what another zlib packs differently must still hold the same
            assert gzip.decompress(data) == gzip.decompress(committed), name
        else:
            assert data == committed, name


def test_turning_a_fault_off_changes_nothing_else() -> None:
    slow = next(scenario for scenario in SCENARIOS if scenario.name == "slow_database_tenant")
    with_fault, without = simulate(slow, 60), simulate(slow, 60, faults=Faults())

    def durations(run) -> dict[tuple[str, int], list[int]]:  # type: ignore[no-untyped-def]
        found: dict[str, list[int]] = {}
        for span in run.spans:
            if span.attributes.get("tenant") != "umbrella" or span.name not in ("SELECT docs", "retrieve"):
                found.setdefault(span.name, []).append(span.end_time - span.start_time)
        return {name: sorted(values) for name, values in found.items()}

    a, b = durations(with_fault), durations(without)
    for name in ("SELECT accounts", "embeddings small-embed", "build_prompt", "execute_tool stock"):
        assert a[name] == b[name]


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_a_large_dump_has_spans_of_its_own(form: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from overbudget.ingest.pipeline import ingest

    count = write(tmp_path / "dump", 5_000, form)
    result = ingest([tmp_path / "dump"], tmp_path / "d.duckdb")
    assert result.spans == count >= 5_000
    assert result.as_dict()["warnings"] == []
