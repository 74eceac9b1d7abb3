package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
 * tasks themselves were deleted; and what is unfinished now.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class StatsServiceGrpc {

  private StatsServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.StatsService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.QueryStatsRequest,
      dev.bellringer.v1.QueryStatsResponse> getQueryMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Query",
      requestType = dev.bellringer.v1.QueryStatsRequest.class,
      responseType = dev.bellringer.v1.QueryStatsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.QueryStatsRequest,
      dev.bellringer.v1.QueryStatsResponse> getQueryMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.QueryStatsRequest, dev.bellringer.v1.QueryStatsResponse> getQueryMethod;
    if ((getQueryMethod = StatsServiceGrpc.getQueryMethod) == null) {
      synchronized (StatsServiceGrpc.class) {
        if ((getQueryMethod = StatsServiceGrpc.getQueryMethod) == null) {
          StatsServiceGrpc.getQueryMethod = getQueryMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.QueryStatsRequest, dev.bellringer.v1.QueryStatsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Query"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.QueryStatsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.QueryStatsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new StatsServiceMethodDescriptorSupplier("Query"))
              .build();
        }
      }
    }
    return getQueryMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.CountUnfinishedRequest,
      dev.bellringer.v1.CountUnfinishedResponse> getCountUnfinishedMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CountUnfinished",
      requestType = dev.bellringer.v1.CountUnfinishedRequest.class,
      responseType = dev.bellringer.v1.CountUnfinishedResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.CountUnfinishedRequest,
      dev.bellringer.v1.CountUnfinishedResponse> getCountUnfinishedMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.CountUnfinishedRequest, dev.bellringer.v1.CountUnfinishedResponse> getCountUnfinishedMethod;
    if ((getCountUnfinishedMethod = StatsServiceGrpc.getCountUnfinishedMethod) == null) {
      synchronized (StatsServiceGrpc.class) {
        if ((getCountUnfinishedMethod = StatsServiceGrpc.getCountUnfinishedMethod) == null) {
          StatsServiceGrpc.getCountUnfinishedMethod = getCountUnfinishedMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.CountUnfinishedRequest, dev.bellringer.v1.CountUnfinishedResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CountUnfinished"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CountUnfinishedRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CountUnfinishedResponse.getDefaultInstance()))
              .setSchemaDescriptor(new StatsServiceMethodDescriptorSupplier("CountUnfinished"))
              .build();
        }
      }
    }
    return getCountUnfinishedMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static StatsServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<StatsServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<StatsServiceStub>() {
        @java.lang.Override
        public StatsServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new StatsServiceStub(channel, callOptions);
        }
      };
    return StatsServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static StatsServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<StatsServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<StatsServiceBlockingV2Stub>() {
        @java.lang.Override
        public StatsServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new StatsServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return StatsServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static StatsServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<StatsServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<StatsServiceBlockingStub>() {
        @java.lang.Override
        public StatsServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new StatsServiceBlockingStub(channel, callOptions);
        }
      };
    return StatsServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static StatsServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<StatsServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<StatsServiceFutureStub>() {
        @java.lang.Override
        public StatsServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new StatsServiceFutureStub(channel, callOptions);
        }
      };
    return StatsServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Answers with what ended within a span of time, in all or by steps of time, and by dimensions. Exact up to
     * the moment of the answer: what was acknowledged before the call is counted.
     * Errors: SCHEDULE_NOT_FOUND, LIMIT_REACHED if the answer would be larger than 10,000 rows, or is made of more
     * than 200,000 records.
     * </pre>
     */
    default void query(dev.bellringer.v1.QueryStatsRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.QueryStatsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getQueryMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with the number of unfinished tasks by state, now.
     * </pre>
     */
    default void countUnfinished(dev.bellringer.v1.CountUnfinishedRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CountUnfinishedResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCountUnfinishedMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service StatsService.
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public static abstract class StatsServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return StatsServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service StatsService.
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public static final class StatsServiceStub
      extends io.grpc.stub.AbstractAsyncStub<StatsServiceStub> {
    private StatsServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected StatsServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new StatsServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with what ended within a span of time, in all or by steps of time, and by dimensions. Exact up to
     * the moment of the answer: what was acknowledged before the call is counted.
     * Errors: SCHEDULE_NOT_FOUND, LIMIT_REACHED if the answer would be larger than 10,000 rows, or is made of more
     * than 200,000 records.
     * </pre>
     */
    public void query(dev.bellringer.v1.QueryStatsRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.QueryStatsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getQueryMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with the number of unfinished tasks by state, now.
     * </pre>
     */
    public void countUnfinished(dev.bellringer.v1.CountUnfinishedRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CountUnfinishedResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCountUnfinishedMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service StatsService.
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public static final class StatsServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<StatsServiceBlockingV2Stub> {
    private StatsServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected StatsServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new StatsServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with what ended within a span of time, in all or by steps of time, and by dimensions. Exact up to
     * the moment of the answer: what was acknowledged before the call is counted.
     * Errors: SCHEDULE_NOT_FOUND, LIMIT_REACHED if the answer would be larger than 10,000 rows, or is made of more
     * than 200,000 records.
     * </pre>
     */
    public dev.bellringer.v1.QueryStatsResponse query(dev.bellringer.v1.QueryStatsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getQueryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the number of unfinished tasks by state, now.
     * </pre>
     */
    public dev.bellringer.v1.CountUnfinishedResponse countUnfinished(dev.bellringer.v1.CountUnfinishedRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCountUnfinishedMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service StatsService.
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public static final class StatsServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<StatsServiceBlockingStub> {
    private StatsServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected StatsServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new StatsServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with what ended within a span of time, in all or by steps of time, and by dimensions. Exact up to
     * the moment of the answer: what was acknowledged before the call is counted.
     * Errors: SCHEDULE_NOT_FOUND, LIMIT_REACHED if the answer would be larger than 10,000 rows, or is made of more
     * than 200,000 records.
     * </pre>
     */
    public dev.bellringer.v1.QueryStatsResponse query(dev.bellringer.v1.QueryStatsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getQueryMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the number of unfinished tasks by state, now.
     * </pre>
     */
    public dev.bellringer.v1.CountUnfinishedResponse countUnfinished(dev.bellringer.v1.CountUnfinishedRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCountUnfinishedMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service StatsService.
   * <pre>
   * How tasks fare: exact counts of what has ended, with waits and durations, for a year and more after the
   * tasks themselves were deleted; and what is unfinished now.
   * </pre>
   */
  public static final class StatsServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<StatsServiceFutureStub> {
    private StatsServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected StatsServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new StatsServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with what ended within a span of time, in all or by steps of time, and by dimensions. Exact up to
     * the moment of the answer: what was acknowledged before the call is counted.
     * Errors: SCHEDULE_NOT_FOUND, LIMIT_REACHED if the answer would be larger than 10,000 rows, or is made of more
     * than 200,000 records.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.QueryStatsResponse> query(
        dev.bellringer.v1.QueryStatsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getQueryMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with the number of unfinished tasks by state, now.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.CountUnfinishedResponse> countUnfinished(
        dev.bellringer.v1.CountUnfinishedRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCountUnfinishedMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_QUERY = 0;
  private static final int METHODID_COUNT_UNFINISHED = 1;

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
        case METHODID_QUERY:
          serviceImpl.query((dev.bellringer.v1.QueryStatsRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.QueryStatsResponse>) responseObserver);
          break;
        case METHODID_COUNT_UNFINISHED:
          serviceImpl.countUnfinished((dev.bellringer.v1.CountUnfinishedRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.CountUnfinishedResponse>) responseObserver);
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
          getQueryMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.QueryStatsRequest,
              dev.bellringer.v1.QueryStatsResponse>(
                service, METHODID_QUERY)))
        .addMethod(
          getCountUnfinishedMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.CountUnfinishedRequest,
              dev.bellringer.v1.CountUnfinishedResponse>(
                service, METHODID_COUNT_UNFINISHED)))
        .build();
  }

  private static abstract class StatsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    StatsServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.StatsServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("StatsService");
    }
  }

  private static final class StatsServiceFileDescriptorSupplier
      extends StatsServiceBaseDescriptorSupplier {
    StatsServiceFileDescriptorSupplier() {}
  }

  private static final class StatsServiceMethodDescriptorSupplier
      extends StatsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    StatsServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (StatsServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new StatsServiceFileDescriptorSupplier())
              .addMethod(getQueryMethod())
              .addMethod(getCountUnfinishedMethod())
              .build();
        }
      }
    }
    return result;
  }
}
