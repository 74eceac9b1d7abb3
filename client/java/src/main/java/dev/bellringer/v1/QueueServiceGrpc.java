package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * For looking after queues. A queue is created by its first task.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class QueueServiceGrpc {

  private QueueServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.QueueService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListQueuesRequest,
      dev.bellringer.v1.ListQueuesResponse> getListMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "List",
      requestType = dev.bellringer.v1.ListQueuesRequest.class,
      responseType = dev.bellringer.v1.ListQueuesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListQueuesRequest,
      dev.bellringer.v1.ListQueuesResponse> getListMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListQueuesRequest, dev.bellringer.v1.ListQueuesResponse> getListMethod;
    if ((getListMethod = QueueServiceGrpc.getListMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getListMethod = QueueServiceGrpc.getListMethod) == null) {
          QueueServiceGrpc.getListMethod = getListMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListQueuesRequest, dev.bellringer.v1.ListQueuesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "List"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListQueuesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListQueuesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("List"))
              .build();
        }
      }
    }
    return getListMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.GetQueueRequest,
      dev.bellringer.v1.GetQueueResponse> getGetMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Get",
      requestType = dev.bellringer.v1.GetQueueRequest.class,
      responseType = dev.bellringer.v1.GetQueueResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.GetQueueRequest,
      dev.bellringer.v1.GetQueueResponse> getGetMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.GetQueueRequest, dev.bellringer.v1.GetQueueResponse> getGetMethod;
    if ((getGetMethod = QueueServiceGrpc.getGetMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getGetMethod = QueueServiceGrpc.getGetMethod) == null) {
          QueueServiceGrpc.getGetMethod = getGetMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.GetQueueRequest, dev.bellringer.v1.GetQueueResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Get"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetQueueRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetQueueResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("Get"))
              .build();
        }
      }
    }
    return getGetMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.PauseQueueRequest,
      dev.bellringer.v1.PauseQueueResponse> getPauseMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Pause",
      requestType = dev.bellringer.v1.PauseQueueRequest.class,
      responseType = dev.bellringer.v1.PauseQueueResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.PauseQueueRequest,
      dev.bellringer.v1.PauseQueueResponse> getPauseMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.PauseQueueRequest, dev.bellringer.v1.PauseQueueResponse> getPauseMethod;
    if ((getPauseMethod = QueueServiceGrpc.getPauseMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getPauseMethod = QueueServiceGrpc.getPauseMethod) == null) {
          QueueServiceGrpc.getPauseMethod = getPauseMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.PauseQueueRequest, dev.bellringer.v1.PauseQueueResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Pause"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PauseQueueRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PauseQueueResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("Pause"))
              .build();
        }
      }
    }
    return getPauseMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeQueueRequest,
      dev.bellringer.v1.ResumeQueueResponse> getResumeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Resume",
      requestType = dev.bellringer.v1.ResumeQueueRequest.class,
      responseType = dev.bellringer.v1.ResumeQueueResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeQueueRequest,
      dev.bellringer.v1.ResumeQueueResponse> getResumeMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeQueueRequest, dev.bellringer.v1.ResumeQueueResponse> getResumeMethod;
    if ((getResumeMethod = QueueServiceGrpc.getResumeMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getResumeMethod = QueueServiceGrpc.getResumeMethod) == null) {
          QueueServiceGrpc.getResumeMethod = getResumeMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ResumeQueueRequest, dev.bellringer.v1.ResumeQueueResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Resume"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ResumeQueueRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ResumeQueueResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("Resume"))
              .build();
        }
      }
    }
    return getResumeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.PurgeQueueRequest,
      dev.bellringer.v1.PurgeQueueResponse> getPurgeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Purge",
      requestType = dev.bellringer.v1.PurgeQueueRequest.class,
      responseType = dev.bellringer.v1.PurgeQueueResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.PurgeQueueRequest,
      dev.bellringer.v1.PurgeQueueResponse> getPurgeMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.PurgeQueueRequest, dev.bellringer.v1.PurgeQueueResponse> getPurgeMethod;
    if ((getPurgeMethod = QueueServiceGrpc.getPurgeMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getPurgeMethod = QueueServiceGrpc.getPurgeMethod) == null) {
          QueueServiceGrpc.getPurgeMethod = getPurgeMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.PurgeQueueRequest, dev.bellringer.v1.PurgeQueueResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Purge"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PurgeQueueRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PurgeQueueResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("Purge"))
              .build();
        }
      }
    }
    return getPurgeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.SetRetentionRequest,
      dev.bellringer.v1.SetRetentionResponse> getSetRetentionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "SetRetention",
      requestType = dev.bellringer.v1.SetRetentionRequest.class,
      responseType = dev.bellringer.v1.SetRetentionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.SetRetentionRequest,
      dev.bellringer.v1.SetRetentionResponse> getSetRetentionMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.SetRetentionRequest, dev.bellringer.v1.SetRetentionResponse> getSetRetentionMethod;
    if ((getSetRetentionMethod = QueueServiceGrpc.getSetRetentionMethod) == null) {
      synchronized (QueueServiceGrpc.class) {
        if ((getSetRetentionMethod = QueueServiceGrpc.getSetRetentionMethod) == null) {
          QueueServiceGrpc.getSetRetentionMethod = getSetRetentionMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.SetRetentionRequest, dev.bellringer.v1.SetRetentionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "SetRetention"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SetRetentionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.SetRetentionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new QueueServiceMethodDescriptorSupplier("SetRetention"))
              .build();
        }
      }
    }
    return getSetRetentionMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static QueueServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueueServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueueServiceStub>() {
        @java.lang.Override
        public QueueServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueueServiceStub(channel, callOptions);
        }
      };
    return QueueServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static QueueServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueueServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueueServiceBlockingV2Stub>() {
        @java.lang.Override
        public QueueServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueueServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return QueueServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static QueueServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueueServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueueServiceBlockingStub>() {
        @java.lang.Override
        public QueueServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueueServiceBlockingStub(channel, callOptions);
        }
      };
    return QueueServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static QueueServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<QueueServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<QueueServiceFutureStub>() {
        @java.lang.Override
        public QueueServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new QueueServiceFutureStub(channel, callOptions);
        }
      };
    return QueueServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Answers with all queues of a namespace, by name, page by page.
     * </pre>
     */
    default void list(dev.bellringer.v1.ListQueuesRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListQueuesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with one queue. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    default void get(dev.bellringer.v1.GetQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetQueueResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetMethod(), responseObserver);
    }

    /**
     * <pre>
     * Stops leasing from a queue; what runs goes on, Submit goes on. Creates the queue if needed.
     * </pre>
     */
    default void pause(dev.bellringer.v1.PauseQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseQueueResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPauseMethod(), responseObserver);
    }

    /**
     * <pre>
     * Leases from the queue again. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    default void resume(dev.bellringer.v1.ResumeQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeQueueResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResumeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Cancels the waiting tasks of a queue; without `confirm` it only counts them.
     * Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    default void purge(dev.bellringer.v1.PurgeQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PurgeQueueResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPurgeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Sets how long finished tasks of a queue are kept. Creates the queue if needed.
     * </pre>
     */
    default void setRetention(dev.bellringer.v1.SetRetentionRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SetRetentionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getSetRetentionMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service QueueService.
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public static abstract class QueueServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return QueueServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service QueueService.
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public static final class QueueServiceStub
      extends io.grpc.stub.AbstractAsyncStub<QueueServiceStub> {
    private QueueServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueueServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueueServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with all queues of a namespace, by name, page by page.
     * </pre>
     */
    public void list(dev.bellringer.v1.ListQueuesRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListQueuesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with one queue. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public void get(dev.bellringer.v1.GetQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetQueueResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Stops leasing from a queue; what runs goes on, Submit goes on. Creates the queue if needed.
     * </pre>
     */
    public void pause(dev.bellringer.v1.PauseQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseQueueResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Leases from the queue again. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public void resume(dev.bellringer.v1.ResumeQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeQueueResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Cancels the waiting tasks of a queue; without `confirm` it only counts them.
     * Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public void purge(dev.bellringer.v1.PurgeQueueRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PurgeQueueResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPurgeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Sets how long finished tasks of a queue are kept. Creates the queue if needed.
     * </pre>
     */
    public void setRetention(dev.bellringer.v1.SetRetentionRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.SetRetentionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getSetRetentionMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service QueueService.
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public static final class QueueServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<QueueServiceBlockingV2Stub> {
    private QueueServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueueServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueueServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with all queues of a namespace, by name, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListQueuesResponse list(dev.bellringer.v1.ListQueuesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one queue. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetQueueResponse get(dev.bellringer.v1.GetQueueRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stops leasing from a queue; what runs goes on, Submit goes on. Creates the queue if needed.
     * </pre>
     */
    public dev.bellringer.v1.PauseQueueResponse pause(dev.bellringer.v1.PauseQueueRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Leases from the queue again. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ResumeQueueResponse resume(dev.bellringer.v1.ResumeQueueRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels the waiting tasks of a queue; without `confirm` it only counts them.
     * Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PurgeQueueResponse purge(dev.bellringer.v1.PurgeQueueRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPurgeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Sets how long finished tasks of a queue are kept. Creates the queue if needed.
     * </pre>
     */
    public dev.bellringer.v1.SetRetentionResponse setRetention(dev.bellringer.v1.SetRetentionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getSetRetentionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service QueueService.
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public static final class QueueServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<QueueServiceBlockingStub> {
    private QueueServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueueServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueueServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with all queues of a namespace, by name, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListQueuesResponse list(dev.bellringer.v1.ListQueuesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one queue. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetQueueResponse get(dev.bellringer.v1.GetQueueRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stops leasing from a queue; what runs goes on, Submit goes on. Creates the queue if needed.
     * </pre>
     */
    public dev.bellringer.v1.PauseQueueResponse pause(dev.bellringer.v1.PauseQueueRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Leases from the queue again. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ResumeQueueResponse resume(dev.bellringer.v1.ResumeQueueRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Cancels the waiting tasks of a queue; without `confirm` it only counts them.
     * Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PurgeQueueResponse purge(dev.bellringer.v1.PurgeQueueRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPurgeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Sets how long finished tasks of a queue are kept. Creates the queue if needed.
     * </pre>
     */
    public dev.bellringer.v1.SetRetentionResponse setRetention(dev.bellringer.v1.SetRetentionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getSetRetentionMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service QueueService.
   * <pre>
   * For looking after queues. A queue is created by its first task.
   * </pre>
   */
  public static final class QueueServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<QueueServiceFutureStub> {
    private QueueServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected QueueServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new QueueServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with all queues of a namespace, by name, page by page.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListQueuesResponse> list(
        dev.bellringer.v1.ListQueuesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with one queue. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.GetQueueResponse> get(
        dev.bellringer.v1.GetQueueRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Stops leasing from a queue; what runs goes on, Submit goes on. Creates the queue if needed.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.PauseQueueResponse> pause(
        dev.bellringer.v1.PauseQueueRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Leases from the queue again. Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ResumeQueueResponse> resume(
        dev.bellringer.v1.ResumeQueueRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Cancels the waiting tasks of a queue; without `confirm` it only counts them.
     * Errors: QUEUE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.PurgeQueueResponse> purge(
        dev.bellringer.v1.PurgeQueueRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPurgeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Sets how long finished tasks of a queue are kept. Creates the queue if needed.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.SetRetentionResponse> setRetention(
        dev.bellringer.v1.SetRetentionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getSetRetentionMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_LIST = 0;
  private static final int METHODID_GET = 1;
  private static final int METHODID_PAUSE = 2;
  private static final int METHODID_RESUME = 3;
  private static final int METHODID_PURGE = 4;
  private static final int METHODID_SET_RETENTION = 5;

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
        case METHODID_LIST:
          serviceImpl.list((dev.bellringer.v1.ListQueuesRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListQueuesResponse>) responseObserver);
          break;
        case METHODID_GET:
          serviceImpl.get((dev.bellringer.v1.GetQueueRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.GetQueueResponse>) responseObserver);
          break;
        case METHODID_PAUSE:
          serviceImpl.pause((dev.bellringer.v1.PauseQueueRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseQueueResponse>) responseObserver);
          break;
        case METHODID_RESUME:
          serviceImpl.resume((dev.bellringer.v1.ResumeQueueRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeQueueResponse>) responseObserver);
          break;
        case METHODID_PURGE:
          serviceImpl.purge((dev.bellringer.v1.PurgeQueueRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.PurgeQueueResponse>) responseObserver);
          break;
        case METHODID_SET_RETENTION:
          serviceImpl.setRetention((dev.bellringer.v1.SetRetentionRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.SetRetentionResponse>) responseObserver);
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
          getListMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListQueuesRequest,
              dev.bellringer.v1.ListQueuesResponse>(
                service, METHODID_LIST)))
        .addMethod(
          getGetMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.GetQueueRequest,
              dev.bellringer.v1.GetQueueResponse>(
                service, METHODID_GET)))
        .addMethod(
          getPauseMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.PauseQueueRequest,
              dev.bellringer.v1.PauseQueueResponse>(
                service, METHODID_PAUSE)))
        .addMethod(
          getResumeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ResumeQueueRequest,
              dev.bellringer.v1.ResumeQueueResponse>(
                service, METHODID_RESUME)))
        .addMethod(
          getPurgeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.PurgeQueueRequest,
              dev.bellringer.v1.PurgeQueueResponse>(
                service, METHODID_PURGE)))
        .addMethod(
          getSetRetentionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.SetRetentionRequest,
              dev.bellringer.v1.SetRetentionResponse>(
                service, METHODID_SET_RETENTION)))
        .build();
  }

  private static abstract class QueueServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    QueueServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.QueueServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("QueueService");
    }
  }

  private static final class QueueServiceFileDescriptorSupplier
      extends QueueServiceBaseDescriptorSupplier {
    QueueServiceFileDescriptorSupplier() {}
  }

  private static final class QueueServiceMethodDescriptorSupplier
      extends QueueServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    QueueServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (QueueServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new QueueServiceFileDescriptorSupplier())
              .addMethod(getListMethod())
              .addMethod(getGetMethod())
              .addMethod(getPauseMethod())
              .addMethod(getResumeMethod())
              .addMethod(getPurgeMethod())
              .addMethod(getSetRetentionMethod())
              .build();
        }
      }
    }
    return result;
  }
}
