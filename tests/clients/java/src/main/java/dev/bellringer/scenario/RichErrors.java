package dev.bellringer.scenario;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.bellringer.v1.GetTaskRequest;
import dev.bellringer.v1.SubmitRequest;
import dev.bellringer.v1.TaskServiceGrpc.TaskServiceBlockingStub;
import dev.bellringer.v1.TaskSpec;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.security.SecureRandom;
import java.util.UUID;
import java.util.stream.Collectors;

/** Makes calls that must fail and reads why. */
final class RichErrors {
  private RichErrors() {}

  static void read(TaskServiceBlockingStub tasks) throws Exception {
    var bad = TaskSpec.newBuilder().setQueue("a bad name!").setKind("");
    var submit = SubmitRequest.newBuilder().setTask(bad).build();
    var error = refused(() -> tasks.submit(submit), Status.Code.INVALID_ARGUMENT, "INVALID_ARGUMENT");
    var fields =
        detail(error, BadRequest.class).getFieldViolationsList().stream()
            .map(BadRequest.FieldViolation::getField)
            .sorted()
            .collect(Collectors.toList());
    Check.that(fields.contains("task.kind") && fields.contains("task.queue"), fields);
    System.out.println("error: INVALID_ARGUMENT, violations on " + String.join(", ", fields));

    var get = GetTaskRequest.newBuilder().setTaskId(uuid7()).build();
    refused(() -> tasks.get(get), Status.Code.NOT_FOUND, "TASK_NOT_FOUND");
    System.out.println("error: NOT_FOUND, TASK_NOT_FOUND");
  }

  private static com.google.rpc.Status refused(Runnable call, Status.Code code, String reason)
      throws InvalidProtocolBufferException {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      Check.that(error.getStatus().getCode() == code, error);
      var status = StatusProto.fromThrowable(error);
      var info = detail(status, ErrorInfo.class);
      Check.that(info.getDomain().equals("bellringer.v1"), info);
      Check.that(info.getReason().equals(reason), info);
      return status;
    }
    throw new AssertionError("expected " + code + ", but the call was answered");
  }

  private static <T extends Message> T detail(com.google.rpc.Status status, Class<T> type)
      throws InvalidProtocolBufferException {
    for (var packed : status.getDetailsList()) {
      if (packed.is(type)) {
        return packed.unpack(type);
      }
    }
    throw new AssertionError("no " + type.getSimpleName() + " in " + status);
  }

  private static String uuid7() {
    var random = new SecureRandom();
    var high = System.currentTimeMillis() << 16 | 0x7000 | random.nextInt(0x1000);
    var low = random.nextLong() >>> 2 | 0x8000_0000_0000_0000L;
    return new UUID(high, low).toString();
  }
}
