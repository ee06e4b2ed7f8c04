"""overbudget export-slo: rules that the real promtool accepts, and that alert when they must and only then."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from overbudget.analysis.budget.objective import Objective
from overbudget.app.commands.export_slo import run
from overbudget.app.text.prometheus import ALERTS, Alert, bound, text_matcher, threshold
from overbudget.store.errors import OverbudgetError
from tests.dataset_builder import MS, DatasetBuilder, S, Work

DAY = 24 * 3600 * S
METRIC = "traces_span_metrics_duration_milliseconds"
EVERY_BURN = [f"OverbudgetErrorBudgetBurn {window}" for window in ("1h", "6h", "3d")]
BUDGET = """
[budget]
p95 = "2s"
[first_token]
p95 = "400ms"
[objective]
within = 0.99
[routes."GET /users/{id}"]
p95 = "500ms"
"""


def exported(folder: Path, text: str = BUDGET, dataset: Path | None = None, **options: object) -> Path:
    (folder / "budget.toml").write_text(text)
    given: dict[str, object] = {"metric": METRIC, "first_token_metric": None, "unit": None, "labels": (), **options}
    run(dataset, folder / "budget.toml", out=folder / "slo.yml", **given)  # type: ignore[arg-type]
    return folder / "slo.yml"


def rules_of(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def expressions(rules: Path) -> str:
    return "\n".join(rule["expr"] for rule in rules_of(rules))


def promtool(*arguments: object) -> str:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("there is no promtool; apt-get install prometheus")
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rendered(labels: dict[str, str]) -> dict[str, str]:
    """The labels of an alert as Prometheus writes them: two braces are the text of a template."""
    return {name: text.replace('{{"{{"}}', "{{") for name, text in labels.items()}


def alerts_after(folder: Path, rules: Path, minutes: int, series: dict[str, str], firing: list[str]) -> None:
    """Hold the names of the alerts that fire at a minute, with the severities of burn alerts, against `firing`."""
    groups = yaml.safe_load(rules.read_text())["groups"]
    known = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    expected = [rule for rule in known if f"{rule['alert']} {rule['labels'].get('window', '')}".strip() in firing]
    assert len({f"{rule['alert']} {rule['labels'].get('window', '')}" for rule in expected}) == len(set(firing))
    tests = [
        {
            "eval_time": f"{minutes}m",
            "alertname": name,
            "exp_alerts": [{"exp_labels": rendered(rule["labels"])} for rule in expected if rule["alert"] == name],
        }
        for name in {rule["alert"] for rule in known}
    ]
    text = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [],
                "alert_rule_test": [dict(one) for one in tests],
            }
        ],
    }
    # annotations are compared too: leave them out of the rules that are tested
    for group in groups:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    (folder / "bare.yml").write_text(yaml.safe_dump({"groups": groups}))
    text["rule_files"] = [str(folder / "bare.yml")]
    (folder / "test.yml").write_text(yaml.safe_dump(text))
    promtool("test", "rules", folder / "test.yml")


def counters(good: str, total: str, status: str = "STATUS_CODE_UNSET", le: str = "2000") -> dict[str, str]:
    labels = f'service_name="api",span_name="POST /chat",span_kind="SPAN_KIND_SERVER",status_code="{status}"'
    return {f'{METRIC}_bucket{{{labels},le="{le}"}}': good, f"{METRIC}_count{{{labels}}}": total}


PLAIN = '[budget]\np95 = "2s"\n[objective]\nwithin = 0.99\n'


@pytest.mark.parametrize("le", ["2000", "2000.0"])
def test_requests_that_keep_the_objective_alert_nobody(tmp_path: Path, le: str) -> None:
    rules = exported(tmp_path, PLAIN)
    alerts_after(tmp_path, rules, 420, counters("0+199x420", "0+200x420", le=le), [])


def test_a_fifth_over_the_cap_pages_within_the_hour(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN)
    series = counters("0+80x420", "0+100x420")
    alerts_after(tmp_path, rules, 60, series, EVERY_BURN)


def test_a_share_between_the_thresholds_does_not_page_at_once(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN)
    alerts_after(
        tmp_path, rules, 420, counters("0+97x420", "0+100x420"), ["OverbudgetErrorBudgetBurn 3d"]
    )  # 3 % are more than 1 %, and less than 5.6 %


def test_an_alert_ends_soon_after_the_cause_does(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN)
    series = counters("0+0x60 0+100x30", "0+100x90")
    alerts_after(
        tmp_path, rules, 70, series, ["OverbudgetErrorBudgetBurn 6h", "OverbudgetErrorBudgetBurn 3d"]
    )  # the last five minutes are well, the last thirty not


def test_requests_that_all_fail_alert_though_none_was_ever_good(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN)
    series = counters("0+100x90", "0+100x90", status="STATUS_CODE_ERROR")
    alerts_after(tmp_path, rules, 60, series, EVERY_BURN)


def test_a_histogram_without_the_bound_says_so_and_pages_nobody(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN)
    alerts_after(tmp_path, rules, 60, counters("0+50x90", "0+100x90", le="1400"), ["OverbudgetBucketMissing"])


def test_no_traffic_alerts_nobody(tmp_path: Path) -> None:
    alerts_after(tmp_path, exported(tmp_path, PLAIN), 60, counters("5x90", "9x90"), [])


def test_promtool_accepts_routes_first_tokens_and_hostile_names(tmp_path: Path) -> None:
    text = BUDGET + '[routes.\'a"b\\{{ $labels }}.*\']\np95 = "1000s"\n'
    rules = exported(tmp_path, text, first_token_metric="app_first_token_seconds")
    assert "SUCCESS" in promtool("check", "rules", rules)
    assert 'le=~"0[.]4"' in expressions(rules)
    assert 'le=~"1000000([.]0)?|1e[+]06"' in expressions(rules)


@pytest.mark.parametrize("name", ["GET /x/{{id}}", "GET /x/{{{id}}}", "{{- $labels }}", "{{{{", '{{"{{"}}'])
def test_a_route_that_reads_like_a_template_alerts_under_its_own_name(tmp_path: Path, name: str) -> None:
    rules = exported(tmp_path, f"[objective]\nwithin = 0.99\n[routes.'{name}']\np95 = \"2s\"\n")
    assert "SUCCESS" in promtool("check", "rules", rules)
    records = [rule for rule in rules_of(rules) if "record" in rule]
    alerts = [rule for rule in rules_of(rules) if "alert" in rule]
    assert {rule["labels"]["objective"] for rule in records} == {f"total of {name}"}
    assert {rendered(rule["labels"])["objective"] for rule in alerts} == {f"total of {name}"}
    label = json.dumps(name)
    series = {
        f'{METRIC}_{kind}{{span_name={label},span_kind="SPAN_KIND_SERVER"{le}}}': values
        for kind, le, values in (("bucket", ',le="2000"', "0+50x90"), ("count", "", "0+100x90"))
    }
    alerts_after(tmp_path, rules, 60, series, EVERY_BURN)


def small(path: Path) -> Path:
    builder = DatasetBuilder()
    for number in range(4):
        builder.request(Work("inference", 100 * MS), route="POST /chat")
        builder.request(Work("inference", 100 * MS), route="GET /users/{id}", service=f"web{number % 2}")
    return builder.write(path)


def test_the_entry_spans_of_a_dataset_are_the_requests(tmp_path: Path) -> None:
    rules = exported(tmp_path, dataset=small(tmp_path / "small.duckdb"))
    said = expressions(rules)
    assert 'service_name="api", span_name="POST /chat", span_kind="SPAN_KIND_SERVER"' in said
    assert 'service_name=~"web0|web1", span_name=~"GET /users/.+", span_kind="SPAN_KIND_SERVER"' in said
    assert "SUCCESS" in promtool("check", "rules", rules)
    assert "The cap on the first token is not here" in rules.read_text()


def web_and_jobs(path: Path) -> Path:
    """Requests are `POST /chat` of web and `nightly` of jobs; jobs serves `POST /chat` within requests of web as well."""
    builder = DatasetBuilder()
    for _ in range(4):
        builder.request(Work("inference", MS, "POST /chat", hop_to="jobs", callee_ns=MS), service="web")
        builder.request(Work("inference", 2 * MS), route="nightly", service="jobs")
    return builder.write(path)


def spans(service: str, name: str, good: str, total: str, kind: str = "SPAN_KIND_SERVER") -> dict[str, str]:
    labels = f'service_name="{service}",span_name="{name}",span_kind="{kind}"'
    return {f'{METRIC}_bucket{{{labels},le="2000"}}': good, f"{METRIC}_count{{{labels}}}": total}


def test_a_span_that_has_the_service_of_one_request_and_the_name_of_another_is_none(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN, web_and_jobs(tmp_path / "two.duckdb"))
    assert "SUCCESS" in promtool("check", "rules", rules)
    slow_inside = {
        **spans("web", "POST /chat", "0+100x90", "0+100x90"),
        **spans("jobs", "nightly", "0+100x90", "0+100x90"),
        **spans("jobs", "POST /chat", "0+0x90", "0+100x90"),
    }
    alerts_after(tmp_path, rules, 60, slow_inside, [])
    many_fast_inside = {
        **spans("web", "POST /chat", "0+50x90", "0+100x90"),
        **spans("jobs", "nightly", "0+50x90", "0+100x90"),
        **spans("jobs", "POST /chat", "0+9999x90", "0+9999x90"),
    }
    alerts_after(tmp_path, rules, 60, many_fast_inside, EVERY_BURN)


@pytest.mark.parametrize(("service", "name"), [("web", "POST /chat"), ("jobs", "nightly")])
def test_requests_of_each_service_count_where_the_others_have_none(tmp_path: Path, service: str, name: str) -> None:
    rules = exported(tmp_path, PLAIN, web_and_jobs(tmp_path / "two.duckdb"))
    alerts_after(tmp_path, rules, 60, spans(service, name, "0+50x90", "0+100x90"), EVERY_BURN)


def test_a_name_counts_with_the_kind_that_its_requests_have(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for _ in range(4):
        builder.request(Work("inference", MS))
        builder.request(Work("inference", MS), route="nightly", kind="CONSUMER")
    rules = exported(tmp_path, PLAIN, builder.write(tmp_path / "kinds.duckdb"))
    calls = spans("api", "nightly", "0+0x90", "0+100x90", "SPAN_KIND_SERVER")
    assert 'span_name="nightly", span_kind="SPAN_KIND_CONSUMER"' in expressions(rules)
    alerts_after(tmp_path, rules, 60, {**spans("api", "POST /chat", "0+100x90", "0+100x90"), **calls}, [])


def test_services_whose_requests_have_the_same_names_share_a_selector(tmp_path: Path) -> None:
    builder = DatasetBuilder()
    for service in ("web0", "web1"):
        for name in ("POST /chat", "GET /health"):
            builder.request(Work("inference", MS), service=service, route=name)
    said = expressions(exported(tmp_path, PLAIN, builder.write(tmp_path / "alike.duckdb")))
    assert 'service_name=~"web0|web1", span_name=~"GET /health|POST /chat", span_kind="SPAN_KIND_SERVER"' in said
    assert " or rate" not in said


def test_without_a_dataset_routes_of_their_own_are_left_out_of_the_others(tmp_path: Path) -> None:
    said = expressions(exported(tmp_path))
    assert 'span_kind="SPAN_KIND_SERVER", span_name!~"GET /users/.+"' in said


def test_labels_and_units_are_those_that_are_given(tmp_path: Path) -> None:
    rules = exported(tmp_path, PLAIN, metric="span_duration", unit="s", labels=("span_kind=kind", "status_code=status"))
    said = expressions(rules)
    assert 'span_duration_bucket{kind="SPAN_KIND_SERVER", status!="STATUS_CODE_ERROR", le=~"2([.]0)?"}' in said


def test_the_rules_are_the_same_each_time(tmp_path: Path) -> None:
    dataset = small(tmp_path / "small.duckdb")
    assert exported(tmp_path, dataset=dataset).read_text() == exported(tmp_path, dataset=dataset).read_text()


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ('[budget]\np95 = "2s"\n', {}, "has no objective; add [objective]"),
        ("[objective]\nwithin = 0.9\n", {}, "has no cap on the whole request"),
        (PLAIN + 'window = "12h"\n', {}, "give it 3 days or more"),
        (PLAIN, {"metric": "latency"}, "add --unit ms or --unit s"),
        (PLAIN, {"labels": ("kind=x",)}, "NAME one of service_name"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path: Path, text: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(OverbudgetError, match=said.replace("[", r"\[")):
        exported(tmp_path, text, **options)


def test_a_threshold_is_the_burn_rate_that_spends_its_share_in_the_long_window() -> None:
    month = Objective(0.99, 28 * DAY)
    assert [threshold(alert, month) for alert in ALERTS] == pytest.approx([0.1344, 0.056, 0.01])
    for alert in ALERTS[:2]:
        hours = {"1h": 1, "6h": 6}[alert.long]
        assert threshold(alert, month) / month.allowed * hours / (28 * 24) == pytest.approx(alert.spends)


def test_an_outage_is_above_every_threshold_however_loose_the_objective() -> None:
    for within in (0.01, 0.5, 0.9, 0.999):
        assert all(1 - within <= threshold(alert, Objective(within, 28 * DAY)) < 1 for alert in ALERTS)
    assert threshold(Alert("1h", "5m", 0.02, "page"), Objective(0.9, 28 * DAY)) == pytest.approx(0.91)


def test_a_cap_is_written_as_the_bound_of_a_bucket() -> None:
    assert [bound(ns, "ms") for ns in (2 * S, 1500 * 1000, 250_000)] == ["2000", "1.5", "0.25"]
    assert [bound(ns, "s") for ns in (2 * S, 400 * MS, 250_000)] == ["2", "0.4", "0.00025"]


def test_a_matcher_takes_names_as_they_are() -> None:
    assert text_matcher("a", ["x.y"]) == 'a="x.y"'
    assert text_matcher("a", ["x.y", "b"]) == 'a=~"b|x[.]y"'
    assert text_matcher("a", ["/u/*"], negative=True) == 'a!~"/u/.+"'
