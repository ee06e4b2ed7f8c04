"""Protobuf messages whose text is not UTF-8: legal for old exporters, refused by every decoder, repaired here."""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from overbudget.ingest.report import FileReport


@cache
def lenient() -> Any:
    """TracesData with every text field declared as bytes, so that any bytes are accepted."""
    from opentelemetry.proto.common.v1 import common_pb2
    from opentelemetry.proto.resource.v1 import resource_pb2
    from opentelemetry.proto.trace.v1 import trace_pb2

    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _loosen(message)
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("opentelemetry.proto.trace.v1.TracesData"))


def _loosen(message: Any) -> None:
    for field in message.field:
        if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.options.features.ClearField("utf8_validation") if field.options.HasField("features") else None
    for nested in message.nested_type:
        _loosen(nested)


def repaired(data: bytes, report: FileReport) -> bytes | None:
    """The message with U+FFFD where its text is not UTF-8; None where something else is wrong with it."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.trace.v1 import trace_pb2

    try:
        message = lenient().FromString(data)
    except DecodeError:
        return None
    replaced = _replace(message, trace_pb2.TracesData.DESCRIPTOR)
    report.warn("invalid_utf8", "text that is not UTF-8; shown as U+FFFD", replaced)
    return message.SerializeToString() if replaced else None


def _replace(message: Any, strict: Any) -> int:
    """Repair the text of a message in place, guided by the descriptor that distinguishes text from bytes."""
    count = 0
    for field, value in message.ListFields():
        twin = strict.fields_by_number[field.number]
        repeated = isinstance(value, (list, tuple)) or hasattr(value, "append") or hasattr(value, "add")
        if twin.type == twin.TYPE_MESSAGE:
            for one in value if repeated else [value]:
                count += _replace(one, twin.message_type)
        elif twin.type == twin.TYPE_STRING and not repeated:
            text = value.decode("utf-8", "replace").encode()
            if text != value:
                setattr(message, field.name, text)
                count += 1
    return count
