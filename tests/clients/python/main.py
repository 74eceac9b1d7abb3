"""The scenario of tests/clients/README.md, with nothing but the generated stubs."""

import asyncio
import os
import secrets
import sys
import time
import uuid
from urllib.parse import urlsplit

import grpc
from google.protobuf import duration_pb2, json_format, struct_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bellringer.v1 import error_reason_pb2, payload_pb2, task_pb2, task_service_pb2, worker_service_pb2
from bellringer.v1.task_service_pb2_grpc import TaskServiceStub
from bellringer.v1.worker_service_pb2_grpc import WorkerServiceStub

LIMIT = 60.0  # seconds for everything
QUEUE = f"clients-python-{secrets.token_hex(4)}"
KIND = "scenario.greet"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def step(text):
    print(text, flush=True)


def connect(server):
    url = urlsplit(server)
    if url.scheme == "https":
        return grpc.aio.secure_channel(url.netloc, grpc.ssl_channel_credentials())
    return grpc.aio.insecure_channel(url.netloc)


def payload(value):
    json = struct_pb2.Value()
    json_format.ParseDict(value, json)
    return payload_pb2.Payload(json=json)


def value(carrier):
    return json_format.MessageToDict(carrier.json)


def uuid7():
    bits = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    bits = bits & ~(0xF << 76) | 7 << 76
    bits = bits & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=bits))


def state(task):
    return task_pb2.TaskState.Name(task.state)


async def submit(tasks, **fields):
    spec = task_pb2.TaskSpec(queue=QUEUE, kind=KIND, **fields)
    submitted = await tasks.Submit(task_service_pb2.SubmitRequest(task=spec))
    check(submitted.created, "the task was not created")
    return submitted.task_id


async def run_one(workers, task_id):
    """Is a worker for one task."""
    request = worker_service_pb2.WorkRequest
    stream = workers.Work()

    async def receive(expected):
        message = await stream.read()
        check(message is not grpc.aio.EOF, f"the work stream ended, expected {expected}")
        case = message.WhichOneof("message")
        check(case == expected, f"expected {expected}, got {case}")
        return getattr(message, case)

    hello = worker_service_pb2.Hello(worker_name="python scenario", queues=[QUEUE], kinds=[KIND], credit=1)
    await stream.write(request(hello=hello))
    welcome = await receive("welcome")
    check(welcome.session_token, "welcome without a session token")
    step(f"work: welcome, leases last {welcome.lease_duration.ToTimedelta()}")

    (assigned,) = (await receive("assign")).assignments
    check(assigned.task_id == task_id, f"assigned {assigned.task_id}")
    check(assigned.attempt == 1 and assigned.tries == 1, "not the first attempt")
    check(value(assigned.payload) == {"name": "python"}, "the payload is not what was submitted")
    step(f"work: assigned attempt {assigned.attempt} of {assigned.task_id}")

    succeeded = worker_service_pb2.Succeeded(result=payload({"greeting": "hello, python"}))
    report = worker_service_pb2.AttemptReport(
        task_id=assigned.task_id, attempt=assigned.attempt, succeeded=succeeded
    )
    await stream.write(request(report=worker_service_pb2.Report(reports=[report])))
    (ack,) = (await receive("acks")).acks
    check(ack.task_id == task_id and ack.attempt == 1, "the ack names another attempt")
    check(ack.reason == error_reason_pb2.ERROR_REASON_UNSPECIFIED, f"refused: {ack.message}")
    step("work: reported success, acked")

    await stream.write(request(goodbye=worker_service_pb2.Goodbye()))
    check(await stream.read() is grpc.aio.EOF, "a message after goodbye")
    check(await stream.code() == grpc.StatusCode.OK, f"the work stream ended with {await stream.code()}")
    step("work: goodbye, the stream ended")


async def submit_watch_and_run(tasks, workers):
    task_id = await submit(tasks, payload=payload({"name": "python"}), labels={"language": "python"})
    step(f"submit: {task_id}")

    watch = tasks.Watch(task_service_pb2.WatchTasksRequest(task_ids=[task_id]))
    messages = aiter(watch)
    snapshot = await anext(messages)
    check(snapshot.event == task_service_pb2.WATCH_EVENT_SNAPSHOT, "the watch did not begin with a snapshot")
    check(snapshot.task.state == task_pb2.TASK_STATE_READY, f"snapshot: {state(snapshot.task)}")
    step("watch: snapshot, TASK_STATE_READY")

    await run_one(workers, task_id)

    seen = snapshot.task
    async for message in messages:
        check(message.resume_token, "no resume token")
        if message.event == task_service_pb2.WATCH_EVENT_CHANGE:
            check(message.task.revision > seen.revision, "the revision did not rise")
            seen = message.task
    check(await watch.code() == grpc.StatusCode.OK, f"the watch ended with {await watch.code()}")
    check(seen.state == task_pb2.TASK_STATE_SUCCEEDED, f"last seen: {state(seen)}")
    step("watch: TASK_STATE_SUCCEEDED, the stream ended")

    task = (await tasks.Get(task_service_pb2.GetTaskRequest(task_id=task_id))).task
    check(value(task.result) == {"greeting": "hello, python"}, "the result is not what was reported")
    check([a.outcome for a in task.attempts] == [task_pb2.ATTEMPT_OUTCOME_SUCCEEDED], "attempts")
    check(dict(task.spec.labels) == {"language": "python"}, "labels")
    step("get: result, attempts and labels are there")


async def cancel_waiting(tasks):
    task_id = await submit(tasks, delay=duration_pb2.Duration(seconds=3600))
    request = task_service_pb2.CancelTaskRequest(task_id=task_id, reason="scenario")
    check((await tasks.Cancel(request)).task.state == task_pb2.TASK_STATE_CANCELLED, "not cancelled")
    task = (await tasks.Get(task_service_pb2.GetTaskRequest(task_id=task_id))).task
    check(task.state == task_pb2.TASK_STATE_CANCELLED, f"after the cancel: {state(task)}")
    step("cancel: TASK_STATE_CANCELLED")


async def refused(call, code, reason):
    """Makes a call that must fail and answers with its details by type."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        check(error.code() == code, f"expected {code}, got {error.code()}: {error.details()}")
        details = {}
        for packed in rpc_status.from_call(error).details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
                if packed.Is(kind.DESCRIPTOR):
                    details[kind] = kind.FromString(packed.value)
        info = details[error_details_pb2.ErrorInfo]
        check((info.domain, info.reason) == ("bellringer.v1", reason), f"error info: {info}")
        return details
    raise AssertionError(f"expected {code}, but the call was answered")


async def read_rich_errors(tasks):
    bad = task_service_pb2.SubmitRequest(task=task_pb2.TaskSpec(queue="a bad name!", kind=""))
    details = await refused(tasks.Submit(bad), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    fields = {v.field for v in details[error_details_pb2.BadRequest].field_violations}
    check({"task.kind", "task.queue"} <= fields, f"violations on {fields}")
    step(f"error: INVALID_ARGUMENT, violations on {', '.join(sorted(fields))}")

    unknown = task_service_pb2.GetTaskRequest(task_id=uuid7())
    await refused(tasks.Get(unknown), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
    step("error: NOT_FOUND, TASK_NOT_FOUND")


async def scenario(server):
    async with connect(server) as channel:
        tasks, workers = TaskServiceStub(channel), WorkerServiceStub(channel)
        await submit_watch_and_run(tasks, workers)
        await cancel_waiting(tasks)
        await read_rich_errors(tasks)


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(scenario(os.environ["BELLRINGER_SERVER"]), LIMIT))
    except Exception as error:
        sys.exit(f"FAIL python: {type(error).__name__}: {error}")
    print("PASS python")
