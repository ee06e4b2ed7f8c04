"""Traces of which only some were kept: what that is known by, and what is said of it."""

import json
import random
from pathlib import Path

import duckdb
import pytest

from overbudget.analysis.budget.file import parse_budget
from overbudget.analysis.compare.compare import Side, compare
from overbudget.analysis.consistency.consistency import consistency
from overbudget.analysis.load.load import load
from overbudget.analysis.requests.sampling import Sampling, sampling_of
from overbudget.analysis.review.review import review
from overbudget.analysis.tail.tail import tail
from overbudget.analysis.whatif.whatif import Workbench
from overbudget.app.text.load import sentences as load_sentences
from overbudget.app.text.notes import notes
from overbudget.app.text.whatif import sentences as whatif_sentences
from overbudget.ingest.pipeline import ingest
from overbudget.ingest.rewrite.recompute import recompute
from overbudget.store.dataset import open_dataset
from overbudget.store.errors import OverbudgetError

MS = 1_000_000
START = 1_790_000_000_000_000_000


def dump(
    folder: Path, ids: list[int], state: str = "", about: dict[str, str] | None = None, length_ms: int = 100
) -> Path:
    """One request of one span per trace id, a second apart."""
    spans = [
        {
            "traceId": f"{trace_id:032x}", "spanId": f"{number + 1:016x}", "name": "POST /chat", "kind": 2,
            "traceState": state,
            "startTimeUnixNano": str(START + number * 1_000 * MS),
            "endTimeUnixNano": str(START + (number * 1_000 + length_ms) * MS),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in (about or {}).items()],
        }
        for number, trace_id in enumerate(ids)
    ]  # fmt: skip
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    return path


def stored(tmp_path: Path, *dumps: Path, sampled: str | float | None = None) -> duckdb.DuckDBPyConnection:
    ingest([str(one) for one in dumps], tmp_path / "d.duckdb", sampled=sampled)
    return open_dataset(tmp_path / "d.duckdb")


def weights(connection: duckdb.DuckDBPyConnection) -> list[float]:
    return [weight for (weight,) in connection.execute("SELECT weight FROM requests ORDER BY start_ns").fetchall()]


@pytest.mark.parametrize(
    ("state", "weight"),
    [
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("ot=th:c", 4),
        ("ot=th:e6666666666668", 10),
        ("vendor=1,ot=rv:9b8233f7e3a151;th:c", 4),
        ("ot=th:c;rv:9b8233f7e3a151, other=th:8", 4),
        ("other=th:8", 1),
        ("ot=p:3;r:5", 8),
        ("ot=r:5;p:0", 1),
        ("ot=p:63", 1),  # a probability of zero
        ("ot=th:8;p:3", 2),  # the threshold is newer
        ("ot=th:C", 1),  # not lower-case hexadecimal
        ("ot=th:ffffffffffffff", 1),  # nobody keeps one in 2^56
        ("", 1),
    ],
)
def test_the_threshold_in_the_trace_state_says_how_many_requests_one_stands_for(
    tmp_path: Path, state: str, weight: float
) -> None:
    assert weights(stored(tmp_path, dump(tmp_path, [7], state))) == [pytest.approx(weight)]


@pytest.mark.parametrize(
    ("about", "weight"),
    [
        ({"SampleRate": "20"}, 20),
        ({"sampleRate": "1"}, 1),
        ({"SampleRate": "0.1"}, 1),  # one in N has no fractions
        ({"sampling.probability": "0.25"}, 4),
        ({"sampling.probability": "0"}, 1),
        ({"sampler.type": "probabilistic", "sampler.param": "0.1"}, 10),
        ({"sampler.type": "ratelimiting", "sampler.param": "0.1"}, 1),  # traces per second
        ({"sampler.type": "const", "sampler.param": "true"}, 1),
        ({"logfire.sample_rate": "0.5"}, 2),
        ({"sentry.sample_rate": "0.2"}, 5),
        ({"_dd.rule_psr": "0.1"}, 10),
        ({"microsoft.sample_rate": "25"}, 4),
        ({"_MS.sampleRate": "100"}, 1),
        ({"_MS.sampleRate": "250"}, 1),
        ({"temperature": "0.1"}, 1),
    ],
)
def test_attributes_of_samplers_say_how_many_requests_one_stands_for(
    tmp_path: Path, about: dict[str, str], weight: float
) -> None:
    assert weights(stored(tmp_path, dump(tmp_path, [7], about=about))) == [pytest.approx(weight)]


def test_what_is_said_of_a_dump_holds_for_its_requests_and_what_they_record_goes_first(tmp_path: Path) -> None:
    connection = stored(tmp_path, dump(tmp_path, [1]), dump(tmp_path, [2], "ot=th:8"), sampled=0.1)
    assert weights(connection) == [10, 2]
    assert sampling_of(connection) == Sampling("said", pytest.approx(2 / 12))
    connection.close()
    recompute(tmp_path / "d.duckdb", tmp_path / "again.duckdb", lambda _: None)
    assert weights(open_dataset(tmp_path / "again.duckdb")) == [10, 2]


@pytest.mark.parametrize("said", ["0", "1.5", "-0.1", "head", "nan"])
def test_what_is_no_probability_is_refused_with_what_to_say(tmp_path: Path, said: str) -> None:
    with pytest.raises(OverbudgetError, match="above 0 and at most 1"):
        stored(tmp_path, dump(tmp_path, [1]), sampled=said)


def test_tail_sampling_is_known_by_what_is_said_and_by_what_samplers_write(tmp_path: Path) -> None:
    assert sampling_of(stored(tmp_path, dump(tmp_path, [1]), sampled="tail")).how == "tail"
    assert sampling_of(stored(tmp_path, dump(tmp_path, [1], about={"tailsampling.policy": "slow"}))).how == "tail"
    assert sampling_of(stored(tmp_path, dump(tmp_path, [1], about={"tail": "yes"}))).how == "none"


def ids(most: float, count: int, seed: int = 1, least: float = 0) -> list[int]:
    """Random trace ids whose last 64 bits lie within a share of all such numbers."""
    rng = random.Random(seed)
    return [(rng.getrandbits(64) << 64) | int((least + (most - least) * rng.random()) * 2**64) for _ in range(count)]


def shifted(bits: int, chosen: list[int]) -> list[int]:
    """What the last 64 bits were, the last 64 less `bits` are then; those before them are random."""
    return [number >> bits for number in chosen]


@pytest.mark.parametrize(
    ("chosen", "share"),
    [
        (ids(0.1, 150), 0.1),
        (ids(0.3, 150), 0.3),
        (shifted(1, ids(0.3, 150)), 0.3),
        (shifted(8, ids(1, 150, least=0.8)), 0.2),
    ],
    ids=["64 bits", "64 bits, a third", "63 bits", "the highest of 56 bits"],
)
def test_ids_that_all_lie_within_a_bound_look_sampled(tmp_path: Path, chosen: list[int], share: float) -> None:
    found = sampling_of(stored(tmp_path, dump(tmp_path, chosen)))
    assert (found.how, round(found.share or 0, 2)) == ("looks_sampled", share)


@pytest.mark.parametrize(
    "chosen",
    [
        ids(1, 150),
        ids(0.5, 150),  # 63 random bits, as some tracers have them
        ids(0.1, 99),  # too few to tell
        list(range(1, 151)),  # counted up
        [n << 64 for n in range(1, 151)],
    ],
)
def test_other_ids_tell_nothing(tmp_path: Path, chosen: list[int]) -> None:
    assert sampling_of(stored(tmp_path, dump(tmp_path, chosen))).how == "none"


def test_percentiles_count_each_request_for_as_many_as_it_stands_for(tmp_path: Path) -> None:
    fast, slow = ids(1, 50), ids(1, 50, seed=2)
    connection = stored(tmp_path, dump(tmp_path, fast, "ot=th:e6666666666668"), dump(tmp_path, slow, length_ms=900))
    found = review(connection, percentiles=(50, 95))
    assert [row.latency_ns for row in found.end_to_end] == [100 * MS, 900 * MS]  # 500 of 550 are fast
    connection.close()
    equal = stored(tmp_path, dump(tmp_path, fast), dump(tmp_path, slow, length_ms=900))
    assert review(equal, percentiles=(50,)).end_to_end[0].latency_ns == 500 * MS
    assert notes(found)[0].startswith(
        "Only some traces were kept (about 18% of all, by the probability that they record):"
    )
    assert not any("kept" in note for note in notes(review(equal)))


def test_where_traces_are_sampled_no_load_and_no_line_is_told_and_each_answer_says_why(tmp_path: Path) -> None:
    connection = stored(tmp_path, dump(tmp_path, ids(1, 60)), sampled="tail")
    found = load(connection)
    assert (found.bins, found.arrivals, found.breaks_at) == ((), (), None)
    assert load_sentences(found) == [
        "Only some traces were kept, and which ones depended on what was in them (tail sampling): how many requests were in "
        "flight, or arrived, is not known, so latency cannot be shown against load."
    ]
    said = whatif_sentences(Workbench(connection).what_if([]))
    assert any("no concurrency limit is replayed" in sentence for sentence in said)


@pytest.fixture
def kept_unevenly(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """100 requests of 100 ms, each one of eight that there were, and 100 of a second of which all were kept."""
    ids = random.Random(1)
    fast, slow = ([ids.getrandbits(127) for _ in range(100)] for _ in range(2))
    fast_dump = dump(tmp_path, fast, "ot=th:e", length_ms=100)
    return stored(tmp_path, fast_dump, dump(tmp_path, slow, "", length_ms=1000))


def test_whatif_and_consistency_count_each_request_for_as_many_as_it_stands_for(
    kept_unevenly: duckdb.DuckDBPyConnection,
) -> None:
    budget = parse_budget('[budget]\np95 = "500ms"')
    found = Workbench(kept_unevenly, budget).what_if([])
    before = dict(found.before)
    assert (before[50], before[75], before[95]) == (100 * MS, 100 * MS, 1000 * MS)  # 75 of the 200 are slow
    assert found.within == (pytest.approx(800 / 900), pytest.approx(800 / 900))
    spread = consistency(kept_unevenly, budget).total
    assert spread is not None
    assert (spread.p50_ns, spread.p95_ns) == (100 * MS, 1000 * MS)
    assert spread.within_budget == pytest.approx(800 / 900)


def test_compare_counts_each_request_for_as_many_as_it_stands_for(kept_unevenly: duckdb.DuckDBPyConnection) -> None:
    found = compare(Side(kept_unevenly), Side(kept_unevenly))
    p75 = next(row for row in found.end_to_end if row.percentile == 75)
    assert (p75.base_ns, p75.candidate_ns) == (100 * MS, 100 * MS)
    assert [(one.base_mean_ns, one.candidate_mean_ns) for one in found.operations] == [(200 * MS, 200 * MS)]


def test_tail_takes_its_threshold_from_what_requests_stand_for(kept_unevenly: duckdb.DuckDBPyConnection) -> None:
    found = tail(kept_unevenly, percentile=95)
    assert (found.threshold_ns, found.slow, found.typical_mean_ns) == (1000 * MS, 100, 100 * MS)


@pytest.mark.parametrize(
    ("share", "kept"), [(0.1, "10% of all"), (0.099, "0.099 of all"), (0.014, "0.014 of all"), (0.5, "50% of all")]
)
def test_the_share_that_was_kept_reads_as_people_write_it(share: float, kept: str) -> None:
    assert Sampling("recorded", share).sentence == (
        f"Only some traces were kept (about {kept}, by the probability that they record)"
    )
