"""A model provider on this machine: answers OpenAI's and Anthropic's requests with what the recordings know to be true.

Whoever offers tools and has no tool's answer yet gets a call of the first one. A first token comes after FIRST_TOKEN_S, an answer
of WORDS words after another WORD_S each.
"""

import base64
import json
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL, ANSWERED_BY = "gpt-4o-mini", "gpt-4o-mini-2024-07-18"
INPUT, CACHED, OUTPUT, REASONING, EMBEDDED = 120, 64, 30, 5, 7
FIRST_TOKEN_S, WORD_S, EMBEDDING_S = 0.3, 0.03, 0.06
ANSWER = "It is sunny in Paris."
DSPY = "[[ ## reasoning ## ]]\nbecause\n\n[[ ## answer ## ]]\nsunny\n\n[[ ## completed ## ]]"
USAGE = {
    "prompt_tokens": INPUT,
    "completion_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": CACHED},
    "completion_tokens_details": {"reasoning_tokens": REASONING},
}
RESPONSES_USAGE = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens_details": {"reasoning_tokens": REASONING},
}
# Anthropic's input leaves out what the cache gave.
ANTHROPIC_USAGE = {"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0}


def serve(slower: float = 1) -> str:
    """Serve until the program ends, the first token so many times slower; the address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.first_token_s = FIRST_TOKEN_S * slower
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class _Server(ThreadingHTTPServer):
    first_token_s = FIRST_TOKEN_S

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = json.loads(body) if body[:1] == b"{" else {}  # others are spans that a vendor's client sends home
        path = self.path.split("?")[0]
        if path.endswith("/embeddings"):
            time.sleep(EMBEDDING_S)
            self._send(_embeddings(asked))
        elif path.endswith("/chat/completions"):
            self._answer(asked, _chat(asked), _chat_chunks(asked))
        elif path.endswith("/responses"):
            self._answer(asked, _response(asked), _response_chunks(asked))
        elif path.endswith("/messages"):
            self._answer(asked, _message(asked), _message_chunks(asked))
        else:
            self._send({})

    def _answer(self, asked: dict[str, Any], whole: dict[str, Any], chunks: Iterator[bytes]) -> None:
        time.sleep(self.server.first_token_s)  # type: ignore[attr-defined]
        if not asked.get("stream"):
            self._send(whole)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()
        self.close_connection = True

    def _send(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    given = asked.get("input")
    count = len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1
    vector: Any = [0.1] * 8
    if asked.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<8f", *vector)).decode()
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)]
    usage = {"prompt_tokens": EMBEDDED * count, "total_tokens": EMBEDDED * count}
    return {"object": "list", "model": asked.get("model"), "data": data, "usage": usage}


def _tool_to_call(asked: dict[str, Any]) -> tuple[str, str] | None:
    """Name and arguments, in JSON, of the tool that the answer calls; None where it answers in words."""
    said = json.dumps(asked.get("messages") or asked.get("input") or "")
    tools = [
        tool.get("function", tool)
        for tool in asked.get("tools") or []
        if tool.get("type", "function") in ("function", "custom")
    ]
    if not tools or any(mark in said for mark in ('"role": "tool"', "function_call_output", "tool_result")):
        return None
    schema = tools[0].get("parameters") or tools[0].get("input_schema") or {}
    given = {key: "Paris" if "string" in json.dumps(kind) else 1 for key, kind in schema.get("properties", {}).items()}
    return tools[0]["name"], json.dumps(given)


def _words(asked: dict[str, Any]) -> str:
    said = json.dumps(asked.get("messages") or "")
    if "[[ ## " in said:
        return DSPY
    if "Thought:" in said and "Final Answer" in said:
        return "Thought: I know\nFinal Answer: sunny"
    if "final_answer" in said:  # an agent that writes code
        return 'Thought: I know.\n<code>\nfinal_answer("sunny")\n</code>'
    return ANSWER


def _model(asked: dict[str, Any]) -> str:
    return ANSWERED_BY if asked.get("model") == MODEL else str(asked.get("model"))


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    tool = _tool_to_call(asked)
    message: dict[str, Any] = {"role": "assistant", "content": None if tool else _words(asked)}
    if tool:
        call = {"id": f"call_{time.time_ns()}", "type": "function", "function": {"name": tool[0], "arguments": tool[1]}}
        message["tool_calls"] = [call]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop", "logprobs": None}
    return {**_head(asked, "chat.completion"), "choices": [choice], "usage": USAGE}


def _head(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{time.time_ns()}", "object": kind, "created": int(time.time()), "model": _model(asked)}


def _chat_chunks(asked: dict[str, Any]) -> Iterator[bytes]:
    head = _head(asked, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    tool = _tool_to_call(asked)
    if tool:
        call = {"id": f"call_{time.time_ns()}", "type": "function", "function": {"name": tool[0], "arguments": tool[1]}}
        yield chunk({"role": "assistant", "tool_calls": [{"index": 0, **call}]})
    else:
        for word in _words(asked).split(" "):
            yield chunk({"role": "assistant", "content": f"{word} "})
            time.sleep(WORD_S)
    yield chunk({}, "tool_calls" if tool else "stop")
    yield _event({**head, "choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


def _response(asked: dict[str, Any]) -> dict[str, Any]:
    tool = _tool_to_call(asked)
    text = {"type": "output_text", "text": _words(asked), "annotations": []}
    said: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    if tool:
        said = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": f"call_{time.time_ns()}",
            "name": tool[0],
            "arguments": tool[1],
        }
        said["status"] = "completed"
    return {
        "id": f"resp_{time.time_ns()}", "object": "response", "created_at": int(time.time()), "status": "completed",
        "model": _model(asked), "output": [said], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": asked.get("tools") or [], "usage": RESPONSES_USAGE, "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
    }  # fmt: skip


def _response_chunks(asked: dict[str, Any]) -> Iterator[bytes]:
    whole = _response(asked)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "output": [], "usage": None, "status": "in_progress"}}
    ]
    item = whole["output"][0]
    place = {"output_index": 0, "item_id": item["id"]}
    if item["type"] == "message":
        events.append({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
        events.append(
            {
                "type": "response.content_part.added",
                **place,
                "content_index": 0,
                "part": {**item["content"][0], "text": ""},
            }
        )
        for word in item["content"][0]["text"].split(" "):
            events.append(
                {"type": "response.output_text.delta", **place, "content_index": 0, "delta": f"{word} ", "logprobs": []}
            )
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    for number, event in enumerate(events):
        if event["type"].endswith("delta"):
            time.sleep(WORD_S)
        yield _event({**event, "sequence_number": number}, event["type"])


def _message(asked: dict[str, Any]) -> dict[str, Any]:
    tool = _tool_to_call(asked)
    said: dict[str, Any] = {"type": "text", "text": _words(asked)}
    if tool:
        said = {"type": "tool_use", "id": f"toolu_{time.time_ns()}", "name": tool[0], "input": json.loads(tool[1])}
    return {
        "id": f"msg_{time.time_ns()}", "type": "message", "role": "assistant", "model": _model(asked), "content": [said],
        "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None, "usage": {**ANTHROPIC_USAGE, "output_tokens": OUTPUT},
    }  # fmt: skip


def _message_chunks(asked: dict[str, Any]) -> Iterator[bytes]:
    whole = _message(asked)
    opened = {**whole, "content": [], "stop_reason": None, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}
    yield _event({"type": "message_start", "message": opened}, "message_start")
    yield _event(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        "content_block_start",
    )
    for word in _words(asked).split(" "):
        delta = {"type": "text_delta", "text": f"{word} "}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        time.sleep(WORD_S)
    yield _event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    done = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": OUTPUT},
    }
    yield _event(done, "message_delta")
    yield _event({"type": "message_stop"}, "message_stop")


def _event(said: dict[str, Any], name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(said)}\n\n".encode()


if __name__ == "__main__":
    print(serve(), flush=True)
    threading.Event().wait()
