"""A worker that goes on with the traces of its tasks by nothing but the text of a traceparent.

It fails the first attempt of a task and succeeds with the second. For each attempt it sends a span of
its own to the collector at $OTEL_EXPORTER_OTLP_ENDPOINT: that takes OpenTelemetry's protobuf files, and no
SDK. Ends with the first task that succeeded.
"""

import asyncio
import os
import secrets
import sys
import time
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from bellringer.v1 import task_pb2, worker_service_pb2
from bellringer.v1.worker_service_pb2_grpc import WorkerServiceStub

LIMIT = 60.0  # seconds for everything
KIND = "charge-card"


def channel(url):
    return grpc.aio.insecure_channel(urlsplit(url).netloc)


def text(key, value):
    return common_pb2.KeyValue(key=key, value=common_pb2.AnyValue(string_value=value))


async def span_of(collector, traceparent, name, start):
    """Sends a span that ends now, below the one that `traceparent` names."""
    _, trace_id, parent_id, flags = traceparent.split("-")
    if not int(flags, 16) & 1:
        return  # nobody records this trace
    span = trace_pb2.Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=secrets.token_bytes(8),
        parent_span_id=bytes.fromhex(parent_id),
        name=name,
        kind=trace_pb2.Span.SPAN_KIND_CONSUMER,
        start_time_unix_nano=start,
        end_time_unix_nano=time.time_ns(),
    )
    spans = trace_pb2.ResourceSpans(
        resource=resource_pb2.Resource(attributes=[text("service.name", "python-worker")]),
        scope_spans=[trace_pb2.ScopeSpans(spans=[span])],
    )
    request = trace_service_pb2.ExportTraceServiceRequest(resource_spans=[spans])
    await trace_service_pb2_grpc.TraceServiceStub(collector).Export(request)


async def attempt(collector, task):
    """Runs one attempt and answers with its report."""
    start = time.time_ns()
    await asyncio.sleep(0.02)
    await span_of(collector, task.traceparent, f"python: {task.kind}", start)
    report = worker_service_pb2.AttemptReport(task_id=task.task_id, attempt=task.attempt)
    if task.attempt == 1:
        report.failed.error.CopyFrom(task_pb2.TaskError(type="CARD_DECLINED", message="try again"))
    else:
        report.succeeded.SetInParent()
    return report


async def work(server, collector):
    async with channel(server) as bellringer, channel(collector) as collector:
        stream = WorkerServiceStub(bellringer).Work()
        request = worker_service_pb2.WorkRequest
        hello = worker_service_pb2.Hello(worker_name="python", kinds=[KIND], credit=1)
        await stream.write(request(hello=hello))
        has_succeeded = False
        async for message in stream:
            for task in message.assign.assignments:
                report = await attempt(collector, task)
                has_succeeded = report.HasField("succeeded")
                reports = worker_service_pb2.Report(reports=[report], grant=1)
                await stream.write(request(report=reports))
            if has_succeeded and message.acks.acks:
                await stream.write(request(goodbye=worker_service_pb2.Goodbye()))
                has_succeeded = False


if __name__ == "__main__":
    server, collector = os.environ["BELLRINGER_SERVER"], os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
    try:
        asyncio.run(asyncio.wait_for(work(server, collector), LIMIT))
    except Exception as error:
        sys.exit(f"FAIL python: {type(error).__name__}: {error}")
