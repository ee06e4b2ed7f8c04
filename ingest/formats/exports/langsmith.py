"""Runs as LangSmith's API and SDK give them: a run with its children in it, or each run for itself."""

from collections.abc import Iterable, Iterator
from typing import Any

from overbudget.ingest.formats.exports.otlp import (
    Grouped,
    Record,
    attributes,
    json_text,
    object_of,
    objects_of,
    only_one,
    text,
)
from overbudget.ingest.formats.exports.scores import evaluation
from overbudget.ingest.formats.exports.times import ns_of

_CONVERSATION = ("thread_id", "session_id", "conversation_id")


def is_langsmith(record: Record) -> bool:
    """A run of LangSmith, or a page of them."""
    if isinstance(record.get("runs"), list):
        return any(is_langsmith(one) for one in objects_of(record["runs"])[:3])
    return "run_type" in record and "id" in record and "start_time" in record


def of_langsmith(records: Iterable[Record]) -> list[Record]:
    """Resource spans of LangSmith's runs. Ids are UUIDs; there is no resource and no scope, only what `extra` tells."""
    grouped = Grouped()
    for record in records:
        for top in grouped.rows_of(record, "runs"):
            for run, trace in _with_children(top, top.get("trace_id") or top.get("id"), grouped):
                grouped.add(_span(run, trace), _resource(run))
    return grouped.resource_spans()


def _with_children(run: Record, trace: Any, grouped: Grouped) -> Iterator[tuple[Record, Any]]:
    waiting = [run]
    while waiting:
        one = waiting.pop()
        yield one, one.get("trace_id") or trace
        for child in grouped.spans_in(one.get("child_runs")):
            waiting.append({"parent_run_id": one.get("id"), **child})


def _resource(run: Record) -> Record:
    runtime = object_of(object_of(run.get("extra")).get("runtime"))
    name = only_one((run.get("session_name"), run.get("project_name")))
    found = {"service.name": text(name)} if name else {}
    return found | {
        key: text(runtime[name])
        for key, name in (("telemetry.sdk.name", "sdk"), ("telemetry.sdk.version", "sdk_version"))
        if runtime.get(name)
    }


def _span(run: Record, trace: Any) -> Record:
    error = run.get("error")
    failed = error is not None or str(run.get("status")).lower() == "error"
    start = ns_of(run.get("start_time"))
    return {
        "traceId": text(trace),
        "spanId": text(run.get("id")),
        "parentSpanId": text(run.get("parent_run_id")),
        "name": text(run.get("name")),
        "kind": 1,
        "startTimeUnixNano": start,
        "endTimeUnixNano": ns_of(run.get("end_time")),
        "status": {"code": 2 if failed else 1 if run.get("end_time") else 0, "message": text(error)},
        "attributes": attributes(_told(run)),
        "events": [*_events(run), *_scores(run)],
    }


def _told(run: Record) -> Record:
    extra, outputs = object_of(run.get("extra")), object_of(run.get("outputs"))
    metadata, parameters = object_of(extra.get("metadata")), object_of(extra.get("invocation_params"))
    kind = str(run.get("run_type")).lower()
    model_call = kind in ("llm", "embedding")
    usage = _usage(run, metadata, outputs) if model_call else {}
    told = {
        "langsmith.span.kind": kind,
        "langsmith.span.tags": ", ".join(map(str, run["tags"]))
        if isinstance(run.get("tags"), list) and run["tags"]
        else None,
        "gen_ai.request.model": only_one(
            (
                metadata.get("ls_model_name"),
                parameters.get("model"),
                parameters.get("model_name"),
                parameters.get("model_id"),
            )
        )
        if model_call
        else None,
        "gen_ai.provider.name": metadata.get("ls_provider") if model_call else None,
        "gen_ai.usage.input_tokens": only_one((usage.get("input_tokens"), usage.get("prompt_tokens"))),
        "gen_ai.usage.output_tokens": only_one((usage.get("output_tokens"), usage.get("completion_tokens"))),
        "gen_ai.usage.cache_read.input_tokens": _detail(usage, "input", "prompt", "cache_read", "cached_tokens"),
        "gen_ai.usage.reasoning.output_tokens": _detail(usage, "output", "completion", "reasoning", "reasoning_tokens"),
        "gen_ai.usage.cost": run.get("total_cost") if model_call else None,
        "session.id": only_one(metadata.get(key) for key in _CONVERSATION),
        "gen_ai.prompt": _shown(run.get("inputs")),
        "gen_ai.completion": _shown(run.get("outputs")),
    }
    return {**told, **{f"langsmith.metadata.{key}": value for key, value in metadata.items()}}


def _shown(value: Any) -> str | None:
    return json_text(value) if value else None


def _usage(run: Record, metadata: Record, outputs: Record) -> Record:
    """Token counts, wherever the version at hand puts them."""
    first = _first(_first(outputs.get("generations")))
    message = object_of(object_of(first).get("message"))
    places = (
        outputs.get("usage_metadata"),
        metadata.get("usage_metadata"),
        object_of(message.get("kwargs")).get("usage_metadata"),
        message.get("usage_metadata"),
        object_of(outputs.get("llm_output")).get("token_usage"),
        outputs.get("usage"),
    )
    found = next((place for place in places if isinstance(place, dict) and place), {})
    counted = {
        name: run[key]
        for key, name in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))
        if run.get(key)
    }
    details = {
        f"{side}_token_details": run[key]
        for key, side in (("prompt_token_details", "input"), ("completion_token_details", "output"))
        if isinstance(run.get(key), dict)
    }
    return {**counted, **details, **found}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _detail(usage: Record, side: str, older: str, *names: str) -> Any:
    places = (usage.get(f"{side}_token_details"), usage.get(f"{older}_tokens_details"))
    return only_one(object_of(place).get(name) for place in places for name in names)


def _events(run: Record) -> list[Record]:
    """The first token, which makes a streamed answer feel fast, and the errors that were recorded."""
    tokens = [ns_of(one.get("time")) for one in objects_of(run.get("events")) if one.get("name") == "new_token"]
    first = only_one((ns_of(run.get("first_token_time")), *sorted(one for one in tokens if isinstance(one, int))))
    return [{"name": "first_token", "timeUnixNano": first}] if isinstance(first, int) else []


def _scores(run: Record) -> Iterator[Record]:
    for name, said in object_of(run.get("feedback_stats")).items():
        found = evaluation(name, object_of(said).get("avg"))
        if found:
            yield found
