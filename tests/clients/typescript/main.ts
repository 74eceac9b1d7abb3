// The scenario of tests/clients/README.md, with nothing but the generated stubs.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import type { JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Client } from "@connectrpc/connect";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorReason } from "../../../client/typescript/src/bellringer/v1/error_reason_pb.js";
import type { Payload } from "../../../client/typescript/src/bellringer/v1/payload_pb.js";
import { PayloadSchema } from "../../../client/typescript/src/bellringer/v1/payload_pb.js";
import { AttemptOutcome, TaskSpecSchema, TaskState } from "../../../client/typescript/src/bellringer/v1/task_pb.js";
import { TaskService, WatchEvent } from "../../../client/typescript/src/bellringer/v1/task_service_pb.js";
import { WorkerService, WorkRequestSchema } from "../../../client/typescript/src/bellringer/v1/worker_service_pb.js";
import type { WorkResponse } from "../../../client/typescript/src/bellringer/v1/worker_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../../client/typescript/src/google/rpc/error_details_pb.js";

const LIMIT_MS = 60_000; // for everything
const KIND = "scenario.greet";
const queue = `clients-typescript-${randomBytes(4).toString("hex")}`;

type Tasks = Client<typeof TaskService>;
type Workers = Client<typeof WorkerService>;
type WorkMessage = WorkResponse["message"];

function payload(value: JsonValue): Payload {
  return create(PayloadSchema, { content: { case: "json", value: fromJson(ValueSchema, value) } });
}

function valueOf(carrier: Payload | undefined): JsonValue {
  assert(carrier?.content.case === "json", "no JSON payload");
  return toJson(ValueSchema, carrier.content.value);
}

function uuid7(): string {
  const bits = randomBytes(16);
  bits.writeUIntBE(Date.now(), 0, 6);
  bits[6] = (bits[6]! & 0x0f) | 0x70;
  bits[8] = (bits[8]! & 0x3f) | 0x80;
  return bits.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function submit(tasks: Tasks, spec: MessageInitShape<typeof TaskSpecSchema>): Promise<string> {
  const submitted = await tasks.submit({ task: create(TaskSpecSchema, { ...spec, queue, kind: KIND }) });
  assert(submitted.created, "the task was not created");
  return submitted.taskId;
}

/** Is a worker for one task. */
async function runOne(workers: Workers, taskId: string): Promise<void> {
  const requests = createWritableIterable<MessageInitShape<typeof WorkRequestSchema>>();
  const responses = workers.work(requests)[Symbol.asyncIterator]();

  async function receive<C extends WorkMessage["case"]>(expected: C) {
    const { done, value } = await responses.next();
    assert(!done, `the work stream ended, expected ${expected}`);
    assert.equal(value.message.case, expected);
    return value.message.value as Extract<WorkMessage, { case: C }>["value"];
  }

  const hello = { workerName: "typescript scenario", queues: [queue], kinds: [KIND], credit: 1 };
  // The promise of a write settles when the message is taken, so it is not awaited before reading.
  void requests.write({ message: { case: "hello", value: hello } });
  const welcome = await receive("welcome");
  assert(welcome?.sessionToken, "welcome without a session token");
  console.log(`work: welcome, leases last ${welcome.leaseDuration?.seconds} s`);

  const assignments = (await receive("assign"))?.assignments ?? [];
  assert.equal(assignments.length, 1);
  const assigned = assignments[0]!;
  assert.deepEqual([assigned.taskId, assigned.attempt, assigned.tries], [taskId, 1, 1]);
  assert.deepEqual(valueOf(assigned.payload), { name: "typescript" });
  console.log(`work: assigned attempt ${assigned.attempt} of ${assigned.taskId}`);

  const result = payload({ greeting: "hello, typescript" });
  const report = {
    taskId: assigned.taskId,
    attempt: assigned.attempt,
    outcome: { case: "succeeded" as const, value: { result } },
  };
  void requests.write({ message: { case: "report", value: { reports: [report] } } });
  const acks = (await receive("acks"))?.acks ?? [];
  assert.deepEqual(
    acks.map((ack) => [ack.taskId, ack.attempt, ack.reason]),
    [[taskId, 1, ErrorReason.UNSPECIFIED]],
  );
  console.log("work: reported success, acked");

  void requests.write({ message: { case: "goodbye", value: {} } });
  assert((await responses.next()).done, "a message after goodbye");
  requests.close();
  console.log("work: goodbye, the stream ended");
}

async function submitWatchAndRun(tasks: Tasks, workers: Workers): Promise<void> {
  const labels = { language: "typescript" };
  const taskId = await submit(tasks, { payload: payload({ name: "typescript" }), labels });
  console.log(`submit: ${taskId}`);

  const watch = tasks.watch({ taskIds: [taskId] })[Symbol.asyncIterator]();
  const snapshot = (await watch.next()).value;
  assert.equal(snapshot?.event, WatchEvent.SNAPSHOT);
  assert.equal(snapshot.task?.state, TaskState.READY);
  console.log("watch: snapshot, READY");

  await runOne(workers, taskId);

  let seen = snapshot.task;
  for (let next = await watch.next(); !next.done; next = await watch.next()) {
    const { event, task, resumeToken } = next.value;
    assert(resumeToken, "no resume token");
    if (event !== WatchEvent.CHANGE) continue;
    assert(task && task.revision > seen.revision, "the revision did not rise");
    seen = task;
  }
  assert.equal(seen.state, TaskState.SUCCEEDED);
  console.log("watch: SUCCEEDED, the stream ended");

  const { task } = await tasks.get({ taskId });
  assert.deepEqual(valueOf(task?.result), { greeting: "hello, typescript" });
  assert.deepEqual(
    task?.attempts.map((attempt) => attempt.outcome),
    [AttemptOutcome.SUCCEEDED],
  );
  assert.deepEqual({ ...task?.spec?.labels }, labels);
  console.log("get: result, attempts and labels are there");
}

async function cancelWaiting(tasks: Tasks): Promise<void> {
  const taskId = await submit(tasks, { delay: { seconds: 3600n } });
  const cancelled = await tasks.cancel({ taskId, reason: "scenario" });
  assert.equal(cancelled.task?.state, TaskState.CANCELLED);
  assert.equal((await tasks.get({ taskId })).task?.state, TaskState.CANCELLED);
  console.log("cancel: CANCELLED");
}

/** Awaits a call that must fail and answers with its error. */
async function refused(call: Promise<unknown>, code: Code, reason: string): Promise<ConnectError> {
  const error = await call.then(
    () => assert.fail(`expected ${Code[code]}, but the call was answered`),
    (error: unknown) => ConnectError.from(error),
  );
  assert.equal(Code[error.code], Code[code], error.message);
  const [info] = error.findDetails(ErrorInfoSchema);
  assert.deepEqual([info?.domain, info?.reason], ["bellringer.v1", reason]);
  return error;
}

async function readRichErrors(tasks: Tasks): Promise<void> {
  const bad = tasks.submit({ task: { queue: "a bad name!", kind: "" } });
  const error = await refused(bad, Code.InvalidArgument, "INVALID_ARGUMENT");
  const violations = error.findDetails(BadRequestSchema).flatMap((request) => request.fieldViolations);
  const fields = violations.map((violation) => violation.field).sort();
  assert(fields.includes("task.kind") && fields.includes("task.queue"), `violations on ${fields}`);
  console.log(`error: INVALID_ARGUMENT, violations on ${fields.join(", ")}`);

  await refused(tasks.get({ taskId: uuid7() }), Code.NotFound, "TASK_NOT_FOUND");
  console.log("error: NOT_FOUND, TASK_NOT_FOUND");
}

function fail(reason: unknown): never {
  console.error("FAIL typescript:", reason);
  process.exit(1);
}

setTimeout(() => fail(`not done after ${LIMIT_MS} ms`), LIMIT_MS).unref();
try {
  const baseUrl = process.env["BELLRINGER_SERVER"];
  assert(baseUrl, "BELLRINGER_SERVER is not set");
  const transport = createGrpcTransport({ baseUrl });
  const tasks = createClient(TaskService, transport);
  await submitWatchAndRun(tasks, createClient(WorkerService, transport));
  await cancelWaiting(tasks);
  await readRichErrors(tasks);
} catch (error) {
  fail(error);
}
console.log("PASS typescript");
process.exit(0); // the transport keeps its idle connection open
