"""One run with LangSmith's SDK: FOLDER/langsmith.runs.jsonl has the runs as the SDK writes those of its API, one on each line.

FOLDER/langsmith.tree.json has the first of them with its children in it. Needs langsmith.
"""

import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langsmith.run_trees import RunTree
from langsmith.schemas import Run

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def ids(number: int) -> uuid.UUID:
    return uuid.UUID(int=(0x018F << 112) | (0x7 << 76) | (0x8 << 60) | number)


def run_of(tree: RunTree) -> Run:
    fields = {name: getattr(tree, name) for name in Run.model_fields if hasattr(tree, name)}
    return Run.model_validate({**fields, "child_runs": None, "session_id": uuid.UUID(int=5)})


def main(folder: Path) -> None:
    runs: list[Run] = []
    trees: list[dict[str, Any]] = []
    for number in range(2):
        begun = START + timedelta(seconds=10 * number)

        def at(ms: int, begun: datetime = begun) -> datetime:
            return (begun + timedelta(milliseconds=ms)).replace(tzinfo=None)

        root = RunTree(name="assistant", run_type="chain", id=ids(10 * number + 1), start_time=at(0), project_name="shop",
                       inputs={"question": "Which jacket?"}, extra={"metadata": {"thread_id": "s-1"}})  # fmt: skip
        search = root.create_child(
            "find", "retriever", run_id=ids(10 * number + 2), start_time=at(5), inputs={"q": "jacket"}
        )
        search.end(outputs={"documents": []}, end_time=at(305))
        call = root.create_child(
            "chat", "llm", run_id=ids(10 * number + 3), start_time=at(310), inputs={"messages": ["Which jacket?"]},
            extra={"metadata": {"ls_model_name": "mist-7b", "ls_provider": "in-house"}},
        )  # fmt: skip
        call.add_event({"name": "new_token", "time": at(610).isoformat(), "kwargs": {"token": "no"}})
        call.add_event({"name": "new_token", "time": at(650).isoformat(), "kwargs": {"token": "ne"}})
        usage = {
            "input_tokens": 700,
            "output_tokens": 90,
            "total_tokens": 790,
            "input_token_details": {"cache_read": 64},
        }
        call.end(outputs={"content": "none", "usage_metadata": usage}, end_time=at(1_310))
        tool = root.create_child(
            "orders", "tool", run_id=ids(10 * number + 4), start_time=at(1_310), inputs={"id": "5"}
        )
        tool.end(error="no such order" if number else None, outputs={}, end_time=at(1_510))
        root.end(outputs={"answer": "none"}, end_time=at(1_520))
        found = [run_of(one) for one in (root, search, call, tool)]
        runs += found
        trees.append(
            {
                **json.loads(found[0].model_dump_json()),
                "child_runs": [json.loads(one.model_dump_json()) for one in found[1:]],
            }
        )
    (folder / "langsmith.runs.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in runs))
    (folder / "langsmith.tree.json").write_text(json.dumps(trees, indent=1) + "\n")


main(Path(sys.argv[1]))
