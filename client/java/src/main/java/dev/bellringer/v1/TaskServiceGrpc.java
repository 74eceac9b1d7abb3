package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * For programs that submit tasks and want to know what becomes of them.
 * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
 * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
 * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
 * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class TaskServiceGrpc {

  private TaskServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.TaskService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitRequest,
      dev.bellringer.v1.SubmitResponse> getSubmitMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Submit",
      requestType = dev.bellringer.v1.SubmitRequest.class,
      responseType = dev.bellringer.v1.SubmitResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitRequest,
      dev.bellringer.v1.SubmitResponse> getSubmitMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitRequest, dev.bellringer.v1.SubmitResponse> getSubmitMethod;
    if ((getSubmitMethod = TaskServiceGrpc.getSubmitMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getSubmitMethod = TaskServiceGrpc.getSubmitMethod) == null) {
          TaskServiceGrpc.getSubmitMethod = getSubmitMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.SubmitRequest, dev.bellringer.v1.SubmitResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Submit"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SubmitRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SubmitResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Submit"))
              .build();
        }
      }
    }
    return getSubmitMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitBatchRequest,
      dev.bellringer.v1.SubmitBatchResponse> getSubmitBatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SubmitBatch",
      requestType = dev.bellringer.v1.SubmitBatchRequest.class,
      responseType = dev.bellringer.v1.SubmitBatchResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitBatchRequest,
      dev.bellringer.v1.SubmitBatchResponse> getSubmitBatchMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.SubmitBatchRequest, dev.bellringer.v1.SubmitBatchResponse> getSubmitBatchMethod;
    if ((getSubmitBatchMethod = TaskServiceGrpc.getSubmitBatchMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getSubmitBatchMethod = TaskServiceGrpc.getSubmitBatchMethod) == null) {
          TaskServiceGrpc.getSubmitBatchMethod = getSubmitBatchMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.SubmitBatchRequest, dev.bellringer.v1.SubmitBatchResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SubmitBatch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SubmitBatchRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SubmitBatchResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("SubmitBatch"))
              .build();
        }
      }
    }
    return getSubmitBatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.GetTaskRequest,
      dev.bellringer.v1.GetTaskResponse> getGetMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Get",
      requestType = dev.bellringer.v1.GetTaskRequest.class,
      responseType = dev.bellringer.v1.GetTaskResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.GetTaskRequest,
      dev.bellringer.v1.GetTaskResponse> getGetMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.GetTaskRequest, dev.bellringer.v1.GetTaskResponse> getGetMethod;
    if ((getGetMethod = TaskServiceGrpc.getGetMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getGetMethod = TaskServiceGrpc.getGetMethod) == null) {
          TaskServiceGrpc.getGetMethod = getGetMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.GetTaskRequest, dev.bellringer.v1.GetTaskResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Get"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetTaskRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetTaskResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Get"))
              .build();
        }
      }
    }
    return getGetMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListTasksRequest,
      dev.bellringer.v1.ListTasksResponse> getListMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "List",
      requestType = dev.bellringer.v1.ListTasksRequest.class,
      responseType = dev.bellringer.v1.ListTasksResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListTasksRequest,
      dev.bellringer.v1.ListTasksResponse> getListMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListTasksRequest, dev.bellringer.v1.ListTasksResponse> getListMethod;
    if ((getListMethod = TaskServiceGrpc.getListMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getListMethod = TaskServiceGrpc.getListMethod) == null) {
          TaskServiceGrpc.getListMethod = getListMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListTasksRequest, dev.bellringer.v1.ListTasksResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "List"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListTasksRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListTasksResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("List"))
              .build();
        }
      }
    }
    return getListMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.CancelTaskRequest,
      dev.bellringer.v1.CancelTaskResponse> getCancelMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Cancel",
      requestType = dev.bellringer.v1.CancelTaskRequest.class,
      responseType = dev.bellringer.v1.CancelTaskResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.CancelTaskRequest,
      dev.bellringer.v1.CancelTaskResponse> getCancelMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.CancelTaskRequest, dev.bellringer.v1.CancelTaskResponse> getCancelMethod;
    if ((getCancelMethod = TaskServiceGrpc.getCancelMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getCancelMethod = TaskServiceGrpc.getCancelMethod) == null) {
          TaskServiceGrpc.getCancelMethod = getCancelMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.CancelTaskRequest, dev.bellringer.v1.CancelTaskResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Cancel"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CancelTaskRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CancelTaskResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Cancel"))
              .build();
        }
      }
    }
    return getCancelMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.RetryTaskRequest,
      dev.bellringer.v1.RetryTaskResponse> getRetryMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Retry",
      requestType = dev.bellringer.v1.RetryTaskRequest.class,
      responseType = dev.bellringer.v1.RetryTaskResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.RetryTaskRequest,
      dev.bellringer.v1.RetryTaskResponse> getRetryMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.RetryTaskRequest, dev.bellringer.v1.RetryTaskResponse> getRetryMethod;
    if ((getRetryMethod = TaskServiceGrpc.getRetryMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getRetryMethod = TaskServiceGrpc.getRetryMethod) == null) {
          TaskServiceGrpc.getRetryMethod = getRetryMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.RetryTaskRequest, dev.bellringer.v1.RetryTaskResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Retry"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.RetryTaskRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.RetryTaskResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Retry"))
              .build();
        }
      }
    }
    return getRetryMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.WatchTasksRequest,
      dev.bellringer.v1.WatchTasksResponse> getWatchMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Watch",
      requestType = dev.bellringer.v1.WatchTasksRequest.class,
      responseType = dev.bellringer.v1.WatchTasksResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.WatchTasksRequest,
      dev.bellringer.v1.WatchTasksResponse> getWatchMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.WatchTasksRequest, dev.bellringer.v1.WatchTasksResponse> getWatchMethod;
    if ((getWatchMethod = TaskServiceGrpc.getWatchMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getWatchMethod = TaskServiceGrpc.getWatchMethod) == null) {
          TaskServiceGrpc.getWatchMethod = getWatchMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.WatchTasksRequest, dev.bellringer.v1.WatchTasksResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Watch"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WatchTasksRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WatchTasksResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Watch"))
              .build();
        }
      }
    }
    return getWatchMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.WaitTaskRequest,
      dev.bellringer.v1.WaitTaskResponse> getWaitMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Wait",
      requestType = dev.bellringer.v1.WaitTaskRequest.class,
      responseType = dev.bellringer.v1.WaitTaskResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.WaitTaskRequest,
      dev.bellringer.v1.WaitTaskResponse> getWaitMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.WaitTaskRequest, dev.bellringer.v1.WaitTaskResponse> getWaitMethod;
    if ((getWaitMethod = TaskServiceGrpc.getWaitMethod) == null) {
      synchronized (TaskServiceGrpc.class) {
        if ((getWaitMethod = TaskServiceGrpc.getWaitMethod) == null) {
          TaskServiceGrpc.getWaitMethod = getWaitMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.WaitTaskRequest, dev.bellringer.v1.WaitTaskResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Wait"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WaitTaskRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WaitTaskResponse.getDefaultInstance()))
              .setSchemaDescriptor(new TaskServiceMethodDescriptorSupplier("Wait"))
              .build();
        }
      }
    }
    return getWaitMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static TaskServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<TaskServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<TaskServiceStub>() {
        @java.lang.Override
        public TaskServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new TaskServiceStub(channel, callOptions);
        }
      };
    return TaskServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static TaskServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<TaskServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<TaskServiceBlockingV2Stub>() {
        @java.lang.Override
        public TaskServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new TaskServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return TaskServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static TaskServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<TaskServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<TaskServiceBlockingStub>() {
        @java.lang.Override
        public TaskServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new TaskServiceBlockingStub(channel, callOptions);
        }
      };
    return TaskServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static TaskServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<TaskServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<TaskServiceFutureStub>() {
        @java.lang.Override
        public TaskServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new TaskServiceFutureStub(channel, callOptions);
        }
      };
    return TaskServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Puts a task into its queue and answers once it is durable.
     * Errors: IDEMPOTENCY_CONFLICT, UNIQUE_KEY_CONFLICT, OVERLOADED, LIMIT_REACHED if too many tasks wait in
     * the queue.
     * </pre>
     */
    default void submit(dev.bellringer.v1.SubmitRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSubmitMethod(), responseObserver);
    }

    /**
     * <pre>
     * Puts up to 1000 tasks into their queues. Each gets its own answer, unless `atomic` is set.
     * </pre>
     */
    default void submitBatch(dev.bellringer.v1.SubmitBatchRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitBatchResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSubmitBatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with one task. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    default void get(dev.bellringer.v1.GetTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetTaskResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with the tasks that match, newest first, page by page.
     * </pre>
     */
    default void list(dev.bellringer.v1.ListTasksRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListTasksResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels a task. Waiting work is cancelled at once; of running work the worker is told, and the
     * attempt is taken from it if it has not answered within the grace. Repeating it changes nothing;
     * a finished task is answered as it is. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    default void cancel(dev.bellringer.v1.CancelTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CancelTaskResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCancelMethod(), responseObserver);
    }

    /**
     * <pre>
     * Submits the work of a finished task once more, as a new task that names the old one in
     * `retry_of`. Errors: TASK_NOT_FOUND, TASK_NOT_FINISHED.
     * </pre>
     */
    default void retry(dev.bellringer.v1.RetryTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.RetryTaskResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRetryMethod(), responseObserver);
    }

    /**
     * <pre>
     * Streams the state of tasks: first a snapshot, then changes as they happen. The final state of a
     * task is always sent, states in between may be skipped. A watch of ids ends with OK when all of
     * them are finished; a watch of a filter goes on until the caller ends it.
     * Errors: TASK_NOT_FOUND, SLOW_CONSUMER (resume with the last token), RESYNC (watch anew),
     * DRAINING (the server stops: resume elsewhere).
     * </pre>
     */
    default void watch(dev.bellringer.v1.WatchTasksRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WatchTasksResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers when the task is finished, or unfinished as it is after `timeout`. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    default void wait(dev.bellringer.v1.WaitTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WaitTaskResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWaitMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service TaskService.
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public static abstract class TaskServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return TaskServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service TaskService.
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public static final class TaskServiceStub
      extends io.grpc.stub.AbstractAsyncStub<TaskServiceStub> {
    private TaskServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected TaskServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new TaskServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Puts a task into its queue and answers once it is durable.
     * Errors: IDEMPOTENCY_CONFLICT, UNIQUE_KEY_CONFLICT, OVERLOADED, LIMIT_REACHED if too many tasks wait in
     * the queue.
     * </pre>
     */
    public void submit(dev.bellringer.v1.SubmitRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSubmitMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Puts up to 1000 tasks into their queues. Each gets its own answer, unless `atomic` is set.
     * </pre>
     */
    public void submitBatch(dev.bellringer.v1.SubmitBatchRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitBatchResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSubmitBatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with one task. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public void get(dev.bellringer.v1.GetTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetTaskResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with the tasks that match, newest first, page by page.
     * </pre>
     */
    public void list(dev.bellringer.v1.ListTasksRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListTasksResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels a task. Waiting work is cancelled at once; of running work the worker is told, and the
     * attempt is taken from it if it has not answered within the grace. Repeating it changes nothing;
     * a finished task is answered as it is. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public void cancel(dev.bellringer.v1.CancelTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CancelTaskResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Submits the work of a finished task once more, as a new task that names the old one in
     * `retry_of`. Errors: TASK_NOT_FOUND, TASK_NOT_FINISHED.
     * </pre>
     */
    public void retry(dev.bellringer.v1.RetryTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.RetryTaskResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRetryMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Streams the state of tasks: first a snapshot, then changes as they happen. The final state of a
     * task is always sent, states in between may be skipped. A watch of ids ends with OK when all of
     * them are finished; a watch of a filter goes on until the caller ends it.
     * Errors: TASK_NOT_FOUND, SLOW_CONSUMER (resume with the last token), RESYNC (watch anew),
     * DRAINING (the server stops: resume elsewhere).
     * </pre>
     */
    public void watch(dev.bellringer.v1.WatchTasksRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WatchTasksResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers when the task is finished, or unfinished as it is after `timeout`. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public void wait(dev.bellringer.v1.WaitTaskRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WaitTaskResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWaitMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service TaskService.
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public static final class TaskServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<TaskServiceBlockingV2Stub> {
    private TaskServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected TaskServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new TaskServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Puts a task into its queue and answers once it is durable.
     * Errors: IDEMPOTENCY_CONFLICT, UNIQUE_KEY_CONFLICT, OVERLOADED, LIMIT_REACHED if too many tasks wait in
     * the queue.
     * </pre>
     */
    public dev.bellringer.v1.SubmitResponse submit(dev.bellringer.v1.SubmitRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSubmitMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Puts up to 1000 tasks into their queues. Each gets its own answer, unless `atomic` is set.
     * </pre>
     */
    public dev.bellringer.v1.SubmitBatchResponse submitBatch(dev.bellringer.v1.SubmitBatchRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSubmitBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one task. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetTaskResponse get(dev.bellringer.v1.GetTaskRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the tasks that match, newest first, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListTasksResponse list(dev.bellringer.v1.ListTasksRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a task. Waiting work is cancelled at once; of running work the worker is told, and the
     * attempt is taken from it if it has not answered within the grace. Repeating it changes nothing;
     * a finished task is answered as it is. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.CancelTaskResponse cancel(dev.bellringer.v1.CancelTaskRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Submits the work of a finished task once more, as a new task that names the old one in
     * `retry_of`. Errors: TASK_NOT_FOUND, TASK_NOT_FINISHED.
     * </pre>
     */
    public dev.bellringer.v1.RetryTaskResponse retry(dev.bellringer.v1.RetryTaskRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRetryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the state of tasks: first a snapshot, then changes as they happen. The final state of a
     * task is always sent, states in between may be skipped. A watch of ids ends with OK when all of
     * them are finished; a watch of a filter goes on until the caller ends it.
     * Errors: TASK_NOT_FOUND, SLOW_CONSUMER (resume with the last token), RESYNC (watch anew),
     * DRAINING (the server stops: resume elsewhere).
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.bellringer.v1.WatchTasksResponse>
        watch(dev.bellringer.v1.WatchTasksRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers when the task is finished, or unfinished as it is after `timeout`. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.WaitTaskResponse wait(dev.bellringer.v1.WaitTaskRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWaitMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service TaskService.
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public static final class TaskServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<TaskServiceBlockingStub> {
    private TaskServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected TaskServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new TaskServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Puts a task into its queue and answers once it is durable.
     * Errors: IDEMPOTENCY_CONFLICT, UNIQUE_KEY_CONFLICT, OVERLOADED, LIMIT_REACHED if too many tasks wait in
     * the queue.
     * </pre>
     */
    public dev.bellringer.v1.SubmitResponse submit(dev.bellringer.v1.SubmitRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSubmitMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Puts up to 1000 tasks into their queues. Each gets its own answer, unless `atomic` is set.
     * </pre>
     */
    public dev.bellringer.v1.SubmitBatchResponse submitBatch(dev.bellringer.v1.SubmitBatchRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSubmitBatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one task. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetTaskResponse get(dev.bellringer.v1.GetTaskRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the tasks that match, newest first, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListTasksResponse list(dev.bellringer.v1.ListTasksRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels a task. Waiting work is cancelled at once; of running work the worker is told, and the
     * attempt is taken from it if it has not answered within the grace. Repeating it changes nothing;
     * a finished task is answered as it is. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.CancelTaskResponse cancel(dev.bellringer.v1.CancelTaskRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCancelMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Submits the work of a finished task once more, as a new task that names the old one in
     * `retry_of`. Errors: TASK_NOT_FOUND, TASK_NOT_FINISHED.
     * </pre>
     */
    public dev.bellringer.v1.RetryTaskResponse retry(dev.bellringer.v1.RetryTaskRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRetryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Streams the state of tasks: first a snapshot, then changes as they happen. The final state of a
     * task is always sent, states in between may be skipped. A watch of ids ends with OK when all of
     * them are finished; a watch of a filter goes on until the caller ends it.
     * Errors: TASK_NOT_FOUND, SLOW_CONSUMER (resume with the last token), RESYNC (watch anew),
     * DRAINING (the server stops: resume elsewhere).
     * </pre>
     */
    public java.util.Iterator<dev.bellringer.v1.WatchTasksResponse> watch(
        dev.bellringer.v1.WatchTasksRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers when the task is finished, or unfinished as it is after `timeout`. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.WaitTaskResponse wait(dev.bellringer.v1.WaitTaskRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWaitMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service TaskService.
   * <pre>
   * For programs that submit tasks and want to know what becomes of them.
   * Every method answers errors with `google.rpc.ErrorInfo` in the status details: `domain` is
   * `bellringer.v1`, `reason` a name from ErrorReason without its prefix. Bad input is
   * INVALID_ARGUMENT with `google.rpc.BadRequest`, one violation for each bad field.
   * `namespace` is `default` where it is left empty, and must else be a name as in `TaskSpec.queue`.
   * </pre>
   */
  public static final class TaskServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<TaskServiceFutureStub> {
    private TaskServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected TaskServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new TaskServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Puts a task into its queue and answers once it is durable.
     * Errors: IDEMPOTENCY_CONFLICT, UNIQUE_KEY_CONFLICT, OVERLOADED, LIMIT_REACHED if too many tasks wait in
     * the queue.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.SubmitResponse> submit(
        dev.bellringer.v1.SubmitRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSubmitMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Puts up to 1000 tasks into their queues. Each gets its own answer, unless `atomic` is set.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.SubmitBatchResponse> submitBatch(
        dev.bellringer.v1.SubmitBatchRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSubmitBatchMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with one task. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.GetTaskResponse> get(
        dev.bellringer.v1.GetTaskRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with the tasks that match, newest first, page by page.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListTasksResponse> list(
        dev.bellringer.v1.ListTasksRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels a task. Waiting work is cancelled at once; of running work the worker is told, and the
     * attempt is taken from it if it has not answered within the grace. Repeating it changes nothing;
     * a finished task is answered as it is. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.CancelTaskResponse> cancel(
        dev.bellringer.v1.CancelTaskRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCancelMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Submits the work of a finished task once more, as a new task that names the old one in
     * `retry_of`. Errors: TASK_NOT_FOUND, TASK_NOT_FINISHED.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.RetryTaskResponse> retry(
        dev.bellringer.v1.RetryTaskRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRetryMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers when the task is finished, or unfinished as it is after `timeout`. Errors: TASK_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.WaitTaskResponse> wait(
        dev.bellringer.v1.WaitTaskRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWaitMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_SUBMIT = 0;
  private static final int METHODID_SUBMIT_BATCH = 1;
  private static final int METHODID_GET = 2;
  private static final int METHODID_LIST = 3;
  private static final int METHODID_CANCEL = 4;
  private static final int METHODID_RETRY = 5;
  private static final int METHODID_WATCH = 6;
  private static final int METHODID_WAIT = 7;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_SUBMIT:
          serviceImpl.submit((dev.bellringer.v1.SubmitRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitResponse>) responseObserver);
          break;
        case METHODID_SUBMIT_BATCH:
          serviceImpl.submitBatch((dev.bellringer.v1.SubmitBatchRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.SubmitBatchResponse>) responseObserver);
          break;
        case METHODID_GET:
          serviceImpl.get((dev.bellringer.v1.GetTaskRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.GetTaskResponse>) responseObserver);
          break;
        case METHODID_LIST:
          serviceImpl.list((dev.bellringer.v1.ListTasksRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListTasksResponse>) responseObserver);
          break;
        case METHODID_CANCEL:
          serviceImpl.cancel((dev.bellringer.v1.CancelTaskRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.CancelTaskResponse>) responseObserver);
          break;
        case METHODID_RETRY:
          serviceImpl.retry((dev.bellringer.v1.RetryTaskRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.RetryTaskResponse>) responseObserver);
          break;
        case METHODID_WATCH:
          serviceImpl.watch((dev.bellringer.v1.WatchTasksRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.WatchTasksResponse>) responseObserver);
          break;
        case METHODID_WAIT:
          serviceImpl.wait((dev.bellringer.v1.WaitTaskRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.WaitTaskResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getSubmitMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.SubmitRequest,
              dev.bellringer.v1.SubmitResponse>(
                service, METHODID_SUBMIT)))
        .addMethod(
          getSubmitBatchMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.SubmitBatchRequest,
              dev.bellringer.v1.SubmitBatchResponse>(
                service, METHODID_SUBMIT_BATCH)))
        .addMethod(
          getGetMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.GetTaskRequest,
              dev.bellringer.v1.GetTaskResponse>(
                service, METHODID_GET)))
        .addMethod(
          getListMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListTasksRequest,
              dev.bellringer.v1.ListTasksResponse>(
                service, METHODID_LIST)))
        .addMethod(
          getCancelMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.CancelTaskRequest,
              dev.bellringer.v1.CancelTaskResponse>(
                service, METHODID_CANCEL)))
        .addMethod(
          getRetryMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.RetryTaskRequest,
              dev.bellringer.v1.RetryTaskResponse>(
                service, METHODID_RETRY)))
        .addMethod(
          getWatchMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.bellringer.v1.WatchTasksRequest,
              dev.bellringer.v1.WatchTasksResponse>(
                service, METHODID_WATCH)))
        .addMethod(
          getWaitMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.WaitTaskRequest,
              dev.bellringer.v1.WaitTaskResponse>(
                service, METHODID_WAIT)))
        .build();
  }

  private static abstract class TaskServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    TaskServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.TaskServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("TaskService");
    }
  }

  private static final class TaskServiceFileDescriptorSupplier
      extends TaskServiceBaseDescriptorSupplier {
    TaskServiceFileDescriptorSupplier() {}
  }

  private static final class TaskServiceMethodDescriptorSupplier
      extends TaskServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    TaskServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (TaskServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new TaskServiceFileDescriptorSupplier())
              .addMethod(getSubmitMethod())
              .addMethod(getSubmitBatchMethod())
              .addMethod(getGetMethod())
              .addMethod(getListMethod())
              .addMethod(getCancelMethod())
              .addMethod(getRetryMethod())
              .addMethod(getWatchMethod())
              .addMethod(getWaitMethod())
              .build();
        }
      }
    }
    return result;
  }
}
