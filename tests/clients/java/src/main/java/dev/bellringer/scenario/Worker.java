package dev.bellringer.scenario;

import dev.bellringer.v1.AttemptReport;
import dev.bellringer.v1.ErrorReason;
import dev.bellringer.v1.Goodbye;
import dev.bellringer.v1.Hello;
import dev.bellringer.v1.Payload;
import dev.bellringer.v1.Report;
import dev.bellringer.v1.Succeeded;
import dev.bellringer.v1.WorkRequest;
import dev.bellringer.v1.WorkResponse;
import dev.bellringer.v1.WorkerServiceGrpc.WorkerServiceStub;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** A worker for one task. */
final class Worker {
  private Worker() {}

  static void runOne(
      WorkerServiceStub workers, String queue, String id, Payload input, Payload output)
      throws Exception {
    var responses = new Responses();
    var requests = workers.work(responses);

    var hello =
        Hello.newBuilder()
            .setWorkerName("java scenario")
            .addQueues(queue)
            .addKinds(Scenario.KIND)
            .setCredit(1);
    requests.onNext(WorkRequest.newBuilder().setHello(hello).build());
    var welcome = responses.next(WorkResponse.MessageCase.WELCOME).getWelcome();
    Check.that(!welcome.getSessionToken().isEmpty(), "welcome without a session token");
    var lease = welcome.getLeaseDuration().getSeconds();
    System.out.println("work: welcome, leases last " + lease + " s");

    var assign = responses.next(WorkResponse.MessageCase.ASSIGN).getAssign();
    Check.that(assign.getAssignmentsCount() == 1, assign);
    var assigned = assign.getAssignments(0);
    Check.that(assigned.getTaskId().equals(id), assigned);
    Check.that(assigned.getAttempt() == 1 && assigned.getTries() == 1, assigned);
    Check.that(assigned.getPayload().equals(input), assigned);
    System.out.printf("work: assigned attempt %d of %s%n", assigned.getAttempt(), id);

    var report =
        AttemptReport.newBuilder()
            .setTaskId(assigned.getTaskId())
            .setAttempt(assigned.getAttempt())
            .setSucceeded(Succeeded.newBuilder().setResult(output));
    var reports = Report.newBuilder().addReports(report);
    requests.onNext(WorkRequest.newBuilder().setReport(reports).build());
    var acks = responses.next(WorkResponse.MessageCase.ACKS).getAcks();
    Check.that(acks.getAcksCount() == 1, acks);
    var ack = acks.getAcks(0);
    Check.that(ack.getTaskId().equals(id) && ack.getAttempt() == 1, ack);
    Check.that(ack.getReason() == ErrorReason.ERROR_REASON_UNSPECIFIED, ack);
    System.out.println("work: reported success, acked");

    requests.onNext(WorkRequest.newBuilder().setGoodbye(Goodbye.getDefaultInstance()).build());
    responses.end();
    requests.onCompleted();
    System.out.println("work: goodbye, the stream ended");
  }

  /** Turns callbacks into a queue: messages, then an error or {@link #END}. */
  private static final class Responses implements StreamObserver<WorkResponse> {
    private static final Object END = "the end of the stream";

    private final BlockingQueue<Object> events = new ArrayBlockingQueue<>(16);
    private Object last;

    WorkResponse next(WorkResponse.MessageCase expected) throws Exception {
      if (take() instanceof WorkResponse response && response.getMessageCase() == expected) {
        return response;
      }
      throw new AssertionError("expected " + expected + ", got " + last);
    }

    void end() throws Exception {
      Check.that(take() == END, "after goodbye: " + last);
    }

    private Object take() throws InterruptedException {
      last = events.take();
      return last;
    }

    private void put(Object event) {
      try {
        events.put(event);
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void onNext(WorkResponse response) {
      put(response);
    }

    @Override
    public void onError(Throwable error) {
      put(error);
    }

    @Override
    public void onCompleted() {
      put(END);
    }
  }
}
