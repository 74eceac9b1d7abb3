package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * For programs that run tasks.
 * A worker has a session, identified by a token that the server gives it. A session holds leases;
 * they last as long as the session is heard of. Every report names the task and the attempt, and is
 * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class WorkerServiceGrpc {

  private WorkerServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.WorkerService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.WorkRequest,
      dev.bellringer.v1.WorkResponse> getWorkMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Work",
      requestType = dev.bellringer.v1.WorkRequest.class,
      responseType = dev.bellringer.v1.WorkResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.WorkRequest,
      dev.bellringer.v1.WorkResponse> getWorkMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.WorkRequest, dev.bellringer.v1.WorkResponse> getWorkMethod;
    if ((getWorkMethod = WorkerServiceGrpc.getWorkMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getWorkMethod = WorkerServiceGrpc.getWorkMethod) == null) {
          WorkerServiceGrpc.getWorkMethod = getWorkMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.WorkRequest, dev.bellringer.v1.WorkResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Work"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WorkRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WorkResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Work"))
              .build();
        }
      }
    }
    return getWorkMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.LeaseRequest,
      dev.bellringer.v1.LeaseResponse> getLeaseMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Lease",
      requestType = dev.bellringer.v1.LeaseRequest.class,
      responseType = dev.bellringer.v1.LeaseResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.LeaseRequest,
      dev.bellringer.v1.LeaseResponse> getLeaseMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.LeaseRequest, dev.bellringer.v1.LeaseResponse> getLeaseMethod;
    if ((getLeaseMethod = WorkerServiceGrpc.getLeaseMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getLeaseMethod = WorkerServiceGrpc.getLeaseMethod) == null) {
          WorkerServiceGrpc.getLeaseMethod = getLeaseMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.LeaseRequest, dev.bellringer.v1.LeaseResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Lease"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.LeaseRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.LeaseResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Lease"))
              .build();
        }
      }
    }
    return getLeaseMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.HeartbeatRequest,
      dev.bellringer.v1.HeartbeatResponse> getHeartbeatMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Heartbeat",
      requestType = dev.bellringer.v1.HeartbeatRequest.class,
      responseType = dev.bellringer.v1.HeartbeatResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.HeartbeatRequest,
      dev.bellringer.v1.HeartbeatResponse> getHeartbeatMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.HeartbeatRequest, dev.bellringer.v1.HeartbeatResponse> getHeartbeatMethod;
    if ((getHeartbeatMethod = WorkerServiceGrpc.getHeartbeatMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getHeartbeatMethod = WorkerServiceGrpc.getHeartbeatMethod) == null) {
          WorkerServiceGrpc.getHeartbeatMethod = getHeartbeatMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.HeartbeatRequest, dev.bellringer.v1.HeartbeatResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Heartbeat"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.HeartbeatRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.HeartbeatResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Heartbeat"))
              .build();
        }
      }
    }
    return getHeartbeatMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.CompleteRequest,
      dev.bellringer.v1.CompleteResponse> getCompleteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Complete",
      requestType = dev.bellringer.v1.CompleteRequest.class,
      responseType = dev.bellringer.v1.CompleteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.CompleteRequest,
      dev.bellringer.v1.CompleteResponse> getCompleteMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.CompleteRequest, dev.bellringer.v1.CompleteResponse> getCompleteMethod;
    if ((getCompleteMethod = WorkerServiceGrpc.getCompleteMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getCompleteMethod = WorkerServiceGrpc.getCompleteMethod) == null) {
          WorkerServiceGrpc.getCompleteMethod = getCompleteMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.CompleteRequest, dev.bellringer.v1.CompleteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Complete"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CompleteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CompleteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Complete"))
              .build();
        }
      }
    }
    return getCompleteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.FailRequest,
      dev.bellringer.v1.FailResponse> getFailMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Fail",
      requestType = dev.bellringer.v1.FailRequest.class,
      responseType = dev.bellringer.v1.FailResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.FailRequest,
      dev.bellringer.v1.FailResponse> getFailMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.FailRequest, dev.bellringer.v1.FailResponse> getFailMethod;
    if ((getFailMethod = WorkerServiceGrpc.getFailMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getFailMethod = WorkerServiceGrpc.getFailMethod) == null) {
          WorkerServiceGrpc.getFailMethod = getFailMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.FailRequest, dev.bellringer.v1.FailResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Fail"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.FailRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.FailResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Fail"))
              .build();
        }
      }
    }
    return getFailMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ReleaseRequest,
      dev.bellringer.v1.ReleaseResponse> getReleaseMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Release",
      requestType = dev.bellringer.v1.ReleaseRequest.class,
      responseType = dev.bellringer.v1.ReleaseResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ReleaseRequest,
      dev.bellringer.v1.ReleaseResponse> getReleaseMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ReleaseRequest, dev.bellringer.v1.ReleaseResponse> getReleaseMethod;
    if ((getReleaseMethod = WorkerServiceGrpc.getReleaseMethod) == null) {
      synchronized (WorkerServiceGrpc.class) {
        if ((getReleaseMethod = WorkerServiceGrpc.getReleaseMethod) == null) {
          WorkerServiceGrpc.getReleaseMethod = getReleaseMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ReleaseRequest, dev.bellringer.v1.ReleaseResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Release"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ReleaseRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ReleaseResponse.getDefaultInstance()))
              .setSchemaDescriptor(new WorkerServiceMethodDescriptorSupplier("Release"))
              .build();
        }
      }
    }
    return getReleaseMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static WorkerServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkerServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkerServiceStub>() {
        @java.lang.Override
        public WorkerServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkerServiceStub(channel, callOptions);
        }
      };
    return WorkerServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static WorkerServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkerServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkerServiceBlockingV2Stub>() {
        @java.lang.Override
        public WorkerServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkerServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return WorkerServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static WorkerServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkerServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkerServiceBlockingStub>() {
        @java.lang.Override
        public WorkerServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkerServiceBlockingStub(channel, callOptions);
        }
      };
    return WorkerServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static WorkerServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<WorkerServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<WorkerServiceFutureStub>() {
        @java.lang.Override
        public WorkerServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new WorkerServiceFutureStub(channel, callOptions);
        }
      };
    return WorkerServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Leases and runs tasks over one stream. The first message must be `hello`. The server answers
     * with `welcome`, then sends as many tasks as the worker has granted credit for.
     * If the stream breaks, the leases live on for the lease time: open a new one, to any replica,
     * with `hello.session_token` and the attempts still being run.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<dev.bellringer.v1.WorkRequest> work(
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WorkResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getWorkMethod(), responseObserver);
    }

    /**
     * <pre>
     * Leases up to `max_tasks` tasks; waits for the first one up to `wait`. An empty answer means that
     * there was none. Errors: SESSION_LOST.
     * </pre>
     */
    default void lease(dev.bellringer.v1.LeaseRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.LeaseResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getLeaseMethod(), responseObserver);
    }

    /**
     * <pre>
     * Keeps the leases of a session alive, reports progress, and tells which attempts to stop.
     * Errors: SESSION_LOST.
     * </pre>
     */
    default void heartbeat(dev.bellringer.v1.HeartbeatRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.HeartbeatResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getHeartbeatMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reports that an attempt succeeded; answers once that is durable. Repeating it is safe.
     * Errors: LEASE_LOST.
     * </pre>
     */
    default void complete(dev.bellringer.v1.CompleteRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CompleteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCompleteMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reports that an attempt failed. Errors: LEASE_LOST.
     * </pre>
     */
    default void fail(dev.bellringer.v1.FailRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.FailResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getFailMethod(), responseObserver);
    }

    /**
     * <pre>
     * Gives an attempt back without counting it as a try, to be run again at once or after `delay`.
     * Errors: LEASE_LOST.
     * </pre>
     */
    default void release(dev.bellringer.v1.ReleaseRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ReleaseResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReleaseMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service WorkerService.
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public static abstract class WorkerServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return WorkerServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service WorkerService.
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public static final class WorkerServiceStub
      extends io.grpc.stub.AbstractAsyncStub<WorkerServiceStub> {
    private WorkerServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkerServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkerServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Leases and runs tasks over one stream. The first message must be `hello`. The server answers
     * with `welcome`, then sends as many tasks as the worker has granted credit for.
     * If the stream breaks, the leases live on for the lease time: open a new one, to any replica,
     * with `hello.session_token` and the attempts still being run.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<dev.bellringer.v1.WorkRequest> work(
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WorkResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getWorkMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Leases up to `max_tasks` tasks; waits for the first one up to `wait`. An empty answer means that
     * there was none. Errors: SESSION_LOST.
     * </pre>
     */
    public void lease(dev.bellringer.v1.LeaseRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.LeaseResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getLeaseMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Keeps the leases of a session alive, reports progress, and tells which attempts to stop.
     * Errors: SESSION_LOST.
     * </pre>
     */
    public void heartbeat(dev.bellringer.v1.HeartbeatRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.HeartbeatResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getHeartbeatMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reports that an attempt succeeded; answers once that is durable. Repeating it is safe.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public void complete(dev.bellringer.v1.CompleteRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CompleteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCompleteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reports that an attempt failed. Errors: LEASE_LOST.
     * </pre>
     */
    public void fail(dev.bellringer.v1.FailRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.FailResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getFailMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Gives an attempt back without counting it as a try, to be run again at once or after `delay`.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public void release(dev.bellringer.v1.ReleaseRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ReleaseResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReleaseMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service WorkerService.
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public static final class WorkerServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<WorkerServiceBlockingV2Stub> {
    private WorkerServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkerServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkerServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Leases and runs tasks over one stream. The first message must be `hello`. The server answers
     * with `welcome`, then sends as many tasks as the worker has granted credit for.
     * If the stream breaks, the leases live on for the lease time: open a new one, to any replica,
     * with `hello.session_token` and the attempts still being run.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<dev.bellringer.v1.WorkRequest, dev.bellringer.v1.WorkResponse>
        work() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getWorkMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Leases up to `max_tasks` tasks; waits for the first one up to `wait`. An empty answer means that
     * there was none. Errors: SESSION_LOST.
     * </pre>
     */
    public dev.bellringer.v1.LeaseResponse lease(dev.bellringer.v1.LeaseRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getLeaseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Keeps the leases of a session alive, reports progress, and tells which attempts to stop.
     * Errors: SESSION_LOST.
     * </pre>
     */
    public dev.bellringer.v1.HeartbeatResponse heartbeat(dev.bellringer.v1.HeartbeatRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getHeartbeatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports that an attempt succeeded; answers once that is durable. Repeating it is safe.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.CompleteResponse complete(dev.bellringer.v1.CompleteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCompleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports that an attempt failed. Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.FailResponse fail(dev.bellringer.v1.FailRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getFailMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives an attempt back without counting it as a try, to be run again at once or after `delay`.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.ReleaseResponse release(dev.bellringer.v1.ReleaseRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReleaseMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service WorkerService.
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public static final class WorkerServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<WorkerServiceBlockingStub> {
    private WorkerServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkerServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkerServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Leases up to `max_tasks` tasks; waits for the first one up to `wait`. An empty answer means that
     * there was none. Errors: SESSION_LOST.
     * </pre>
     */
    public dev.bellringer.v1.LeaseResponse lease(dev.bellringer.v1.LeaseRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getLeaseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Keeps the leases of a session alive, reports progress, and tells which attempts to stop.
     * Errors: SESSION_LOST.
     * </pre>
     */
    public dev.bellringer.v1.HeartbeatResponse heartbeat(dev.bellringer.v1.HeartbeatRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getHeartbeatMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports that an attempt succeeded; answers once that is durable. Repeating it is safe.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.CompleteResponse complete(dev.bellringer.v1.CompleteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCompleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports that an attempt failed. Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.FailResponse fail(dev.bellringer.v1.FailRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getFailMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Gives an attempt back without counting it as a try, to be run again at once or after `delay`.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public dev.bellringer.v1.ReleaseResponse release(dev.bellringer.v1.ReleaseRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReleaseMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service WorkerService.
   * <pre>
   * For programs that run tasks.
   * A worker has a session, identified by a token that the server gives it. A session holds leases;
   * they last as long as the session is heard of. Every report names the task and the attempt, and is
   * refused with LEASE_LOST once that attempt has ended for another reason: stop the work then.
   * </pre>
   */
  public static final class WorkerServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<WorkerServiceFutureStub> {
    private WorkerServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected WorkerServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new WorkerServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Leases up to `max_tasks` tasks; waits for the first one up to `wait`. An empty answer means that
     * there was none. Errors: SESSION_LOST.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.LeaseResponse> lease(
        dev.bellringer.v1.LeaseRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getLeaseMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Keeps the leases of a session alive, reports progress, and tells which attempts to stop.
     * Errors: SESSION_LOST.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.HeartbeatResponse> heartbeat(
        dev.bellringer.v1.HeartbeatRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getHeartbeatMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reports that an attempt succeeded; answers once that is durable. Repeating it is safe.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.CompleteResponse> complete(
        dev.bellringer.v1.CompleteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCompleteMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reports that an attempt failed. Errors: LEASE_LOST.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.FailResponse> fail(
        dev.bellringer.v1.FailRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getFailMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Gives an attempt back without counting it as a try, to be run again at once or after `delay`.
     * Errors: LEASE_LOST.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ReleaseResponse> release(
        dev.bellringer.v1.ReleaseRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReleaseMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_LEASE = 0;
  private static final int METHODID_HEARTBEAT = 1;
  private static final int METHODID_COMPLETE = 2;
  private static final int METHODID_FAIL = 3;
  private static final int METHODID_RELEASE = 4;
  private static final int METHODID_WORK = 5;

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
        case METHODID_LEASE:
          serviceImpl.lease((dev.bellringer.v1.LeaseRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.LeaseResponse>) responseObserver);
          break;
        case METHODID_HEARTBEAT:
          serviceImpl.heartbeat((dev.bellringer.v1.HeartbeatRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.HeartbeatResponse>) responseObserver);
          break;
        case METHODID_COMPLETE:
          serviceImpl.complete((dev.bellringer.v1.CompleteRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.CompleteResponse>) responseObserver);
          break;
        case METHODID_FAIL:
          serviceImpl.fail((dev.bellringer.v1.FailRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.FailResponse>) responseObserver);
          break;
        case METHODID_RELEASE:
          serviceImpl.release((dev.bellringer.v1.ReleaseRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ReleaseResponse>) responseObserver);
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
        case METHODID_WORK:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.work(
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.WorkResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getWorkMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              dev.bellringer.v1.WorkRequest,
              dev.bellringer.v1.WorkResponse>(
                service, METHODID_WORK)))
        .addMethod(
          getLeaseMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.LeaseRequest,
              dev.bellringer.v1.LeaseResponse>(
                service, METHODID_LEASE)))
        .addMethod(
          getHeartbeatMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.HeartbeatRequest,
              dev.bellringer.v1.HeartbeatResponse>(
                service, METHODID_HEARTBEAT)))
        .addMethod(
          getCompleteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.CompleteRequest,
              dev.bellringer.v1.CompleteResponse>(
                service, METHODID_COMPLETE)))
        .addMethod(
          getFailMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.FailRequest,
              dev.bellringer.v1.FailResponse>(
                service, METHODID_FAIL)))
        .addMethod(
          getReleaseMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ReleaseRequest,
              dev.bellringer.v1.ReleaseResponse>(
                service, METHODID_RELEASE)))
        .build();
  }

  private static abstract class WorkerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    WorkerServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.WorkerServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("WorkerService");
    }
  }

  private static final class WorkerServiceFileDescriptorSupplier
      extends WorkerServiceBaseDescriptorSupplier {
    WorkerServiceFileDescriptorSupplier() {}
  }

  private static final class WorkerServiceMethodDescriptorSupplier
      extends WorkerServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    WorkerServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (WorkerServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new WorkerServiceFileDescriptorSupplier())
              .addMethod(getWorkMethod())
              .addMethod(getLeaseMethod())
              .addMethod(getHeartbeatMethod())
              .addMethod(getCompleteMethod())
              .addMethod(getFailMethod())
              .addMethod(getReleaseMethod())
              .build();
        }
      }
    }
    return result;
  }
}
