package dev.bellringer.scenario;

import com.google.protobuf.Duration;
import dev.bellringer.v1.AttemptOutcome;
import dev.bellringer.v1.CancelTaskRequest;
import dev.bellringer.v1.GetTaskRequest;
import dev.bellringer.v1.SubmitRequest;
import dev.bellringer.v1.Task;
import dev.bellringer.v1.TaskServiceGrpc.TaskServiceBlockingStub;
import dev.bellringer.v1.TaskSpec;
import dev.bellringer.v1.TaskState;
import dev.bellringer.v1.WatchEvent;
import dev.bellringer.v1.WatchTasksRequest;
import dev.bellringer.v1.WatchTasksResponse;
import dev.bellringer.v1.WorkerServiceGrpc.WorkerServiceStub;
import java.util.Iterator;
import java.util.Map;

/** Submits tasks, has them run or cancels them, and watches. */
final class Scenario {
  static final String KIND = "scenario.greet";

  private final TaskServiceBlockingStub tasks;
  private final WorkerServiceStub workers;
  private final String queue;

  Scenario(TaskServiceBlockingStub tasks, WorkerServiceStub workers, String queue) {
    this.tasks = tasks;
    this.workers = workers;
    this.queue = queue;
  }

  void submitWatchAndRun() throws Exception {
    var input = Check.json("{\"name\": \"java\"}");
    var output = Check.json("{\"greeting\": \"hello, java\"}");
    var labels = Map.of("language", "java");
    var id = submit(TaskSpec.newBuilder().setPayload(input).putAllLabels(labels));
    System.out.println("submit: " + id);

    var watch = tasks.watch(WatchTasksRequest.newBuilder().addTaskIds(id).build());
    var snapshot = watch.next();
    Check.that(snapshot.getEvent() == WatchEvent.WATCH_EVENT_SNAPSHOT, snapshot);
    Check.that(snapshot.getTask().getState() == TaskState.TASK_STATE_READY, snapshot);
    System.out.println("watch: snapshot, " + snapshot.getTask().getState());

    Worker.runOne(workers, queue, id, input, output);
    untilFinal(watch, snapshot.getTask());

    var task = get(id);
    Check.that(task.getResult().equals(output), task.getResult());
    Check.that(task.getAttemptsCount() == 1, task.getAttemptsList());
    var outcome = task.getAttempts(0).getOutcome();
    Check.that(outcome == AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED, outcome);
    Check.that(task.getSpec().getLabelsMap().equals(labels), task.getSpec());
    System.out.println("get: result, attempts and labels are there");
  }

  void cancelWaiting() {
    var hour = Duration.newBuilder().setSeconds(3600);
    var id = submit(TaskSpec.newBuilder().setDelay(hour));
    var request = CancelTaskRequest.newBuilder().setTaskId(id).setReason("scenario").build();
    var cancelled = tasks.cancel(request).getTask().getState();
    Check.that(cancelled == TaskState.TASK_STATE_CANCELLED, cancelled);
    var state = get(id).getState();
    Check.that(state == TaskState.TASK_STATE_CANCELLED, state);
    System.out.println("cancel: " + state);
  }

  /** Reads the watch to its end, which must come after the final state. */
  private static void untilFinal(Iterator<WatchTasksResponse> watch, Task snapshot) {
    var seen = snapshot;
    while (watch.hasNext()) {
      var message = watch.next();
      Check.that(!message.getResumeToken().isEmpty(), "no resume token");
      if (message.getEvent() == WatchEvent.WATCH_EVENT_CHANGE) {
        var task = message.getTask();
        Check.that(task.getRevision() > seen.getRevision(), "the revision did not rise");
        seen = task;
      }
    }
    Check.that(seen.getState() == TaskState.TASK_STATE_SUCCEEDED, seen.getState());
    System.out.println("watch: " + seen.getState() + ", the stream ended");
  }

  private String submit(TaskSpec.Builder spec) {
    var task = spec.setQueue(queue).setKind(KIND);
    var submitted = tasks.submit(SubmitRequest.newBuilder().setTask(task).build());
    Check.that(submitted.getCreated(), "the task was not created");
    return submitted.getTaskId();
  }

  private Task get(String id) {
    return tasks.get(GetTaskRequest.newBuilder().setTaskId(id).build()).getTask();
  }
}
