package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Who may call the service, and what they may do. `bellringer permissions` prints which role may
 * call which method.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class AccessServiceGrpc {

  private AccessServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.AccessService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.WhoAmIRequest,
      dev.bellringer.v1.WhoAmIResponse> getWhoAmIMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WhoAmI",
      requestType = dev.bellringer.v1.WhoAmIRequest.class,
      responseType = dev.bellringer.v1.WhoAmIResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.WhoAmIRequest,
      dev.bellringer.v1.WhoAmIResponse> getWhoAmIMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.WhoAmIRequest, dev.bellringer.v1.WhoAmIResponse> getWhoAmIMethod;
    if ((getWhoAmIMethod = AccessServiceGrpc.getWhoAmIMethod) == null) {
      synchronized (AccessServiceGrpc.class) {
        if ((getWhoAmIMethod = AccessServiceGrpc.getWhoAmIMethod) == null) {
          AccessServiceGrpc.getWhoAmIMethod = getWhoAmIMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.WhoAmIRequest, dev.bellringer.v1.WhoAmIResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WhoAmI"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WhoAmIRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.WhoAmIResponse.getDefaultInstance()))
              .setSchemaDescriptor(new AccessServiceMethodDescriptorSupplier("WhoAmI"))
              .build();
        }
      }
    }
    return getWhoAmIMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.CreateApiKeyRequest,
      dev.bellringer.v1.CreateApiKeyResponse> getCreateApiKeyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "CreateApiKey",
      requestType = dev.bellringer.v1.CreateApiKeyRequest.class,
      responseType = dev.bellringer.v1.CreateApiKeyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.CreateApiKeyRequest,
      dev.bellringer.v1.CreateApiKeyResponse> getCreateApiKeyMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.CreateApiKeyRequest, dev.bellringer.v1.CreateApiKeyResponse> getCreateApiKeyMethod;
    if ((getCreateApiKeyMethod = AccessServiceGrpc.getCreateApiKeyMethod) == null) {
      synchronized (AccessServiceGrpc.class) {
        if ((getCreateApiKeyMethod = AccessServiceGrpc.getCreateApiKeyMethod) == null) {
          AccessServiceGrpc.getCreateApiKeyMethod = getCreateApiKeyMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.CreateApiKeyRequest, dev.bellringer.v1.CreateApiKeyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "CreateApiKey"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CreateApiKeyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.CreateApiKeyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new AccessServiceMethodDescriptorSupplier("CreateApiKey"))
              .build();
        }
      }
    }
    return getCreateApiKeyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListApiKeysRequest,
      dev.bellringer.v1.ListApiKeysResponse> getListApiKeysMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListApiKeys",
      requestType = dev.bellringer.v1.ListApiKeysRequest.class,
      responseType = dev.bellringer.v1.ListApiKeysResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListApiKeysRequest,
      dev.bellringer.v1.ListApiKeysResponse> getListApiKeysMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListApiKeysRequest, dev.bellringer.v1.ListApiKeysResponse> getListApiKeysMethod;
    if ((getListApiKeysMethod = AccessServiceGrpc.getListApiKeysMethod) == null) {
      synchronized (AccessServiceGrpc.class) {
        if ((getListApiKeysMethod = AccessServiceGrpc.getListApiKeysMethod) == null) {
          AccessServiceGrpc.getListApiKeysMethod = getListApiKeysMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListApiKeysRequest, dev.bellringer.v1.ListApiKeysResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListApiKeys"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListApiKeysRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListApiKeysResponse.getDefaultInstance()))
              .setSchemaDescriptor(new AccessServiceMethodDescriptorSupplier("ListApiKeys"))
              .build();
        }
      }
    }
    return getListApiKeysMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.RevokeApiKeyRequest,
      dev.bellringer.v1.RevokeApiKeyResponse> getRevokeApiKeyMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RevokeApiKey",
      requestType = dev.bellringer.v1.RevokeApiKeyRequest.class,
      responseType = dev.bellringer.v1.RevokeApiKeyResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.RevokeApiKeyRequest,
      dev.bellringer.v1.RevokeApiKeyResponse> getRevokeApiKeyMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.RevokeApiKeyRequest, dev.bellringer.v1.RevokeApiKeyResponse> getRevokeApiKeyMethod;
    if ((getRevokeApiKeyMethod = AccessServiceGrpc.getRevokeApiKeyMethod) == null) {
      synchronized (AccessServiceGrpc.class) {
        if ((getRevokeApiKeyMethod = AccessServiceGrpc.getRevokeApiKeyMethod) == null) {
          AccessServiceGrpc.getRevokeApiKeyMethod = getRevokeApiKeyMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.RevokeApiKeyRequest, dev.bellringer.v1.RevokeApiKeyResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RevokeApiKey"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.RevokeApiKeyRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.RevokeApiKeyResponse.getDefaultInstance()))
              .setSchemaDescriptor(new AccessServiceMethodDescriptorSupplier("RevokeApiKey"))
              .build();
        }
      }
    }
    return getRevokeApiKeyMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListAuditEventsRequest,
      dev.bellringer.v1.ListAuditEventsResponse> getListAuditEventsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListAuditEvents",
      requestType = dev.bellringer.v1.ListAuditEventsRequest.class,
      responseType = dev.bellringer.v1.ListAuditEventsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListAuditEventsRequest,
      dev.bellringer.v1.ListAuditEventsResponse> getListAuditEventsMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListAuditEventsRequest, dev.bellringer.v1.ListAuditEventsResponse> getListAuditEventsMethod;
    if ((getListAuditEventsMethod = AccessServiceGrpc.getListAuditEventsMethod) == null) {
      synchronized (AccessServiceGrpc.class) {
        if ((getListAuditEventsMethod = AccessServiceGrpc.getListAuditEventsMethod) == null) {
          AccessServiceGrpc.getListAuditEventsMethod = getListAuditEventsMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListAuditEventsRequest, dev.bellringer.v1.ListAuditEventsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListAuditEvents"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListAuditEventsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListAuditEventsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new AccessServiceMethodDescriptorSupplier("ListAuditEvents"))
              .build();
        }
      }
    }
    return getListAuditEventsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static AccessServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<AccessServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<AccessServiceStub>() {
        @java.lang.Override
        public AccessServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new AccessServiceStub(channel, callOptions);
        }
      };
    return AccessServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static AccessServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<AccessServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<AccessServiceBlockingV2Stub>() {
        @java.lang.Override
        public AccessServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new AccessServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return AccessServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static AccessServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<AccessServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<AccessServiceBlockingStub>() {
        @java.lang.Override
        public AccessServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new AccessServiceBlockingStub(channel, callOptions);
        }
      };
    return AccessServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static AccessServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<AccessServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<AccessServiceFutureStub>() {
        @java.lang.Override
        public AccessServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new AccessServiceFutureStub(channel, callOptions);
        }
      };
    return AccessServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Answers with who the caller is to the service. Anybody who is authenticated may ask.
     * </pre>
     */
    default void whoAmI(dev.bellringer.v1.WhoAmIRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WhoAmIResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWhoAmIMethod(), responseObserver);
    }

    /**
     * <pre>
     * Makes an API key. Its secret is in this answer and nowhere else. Errors: PERMISSION_DENIED for
     * a key that could do more than the caller; LIMIT_REACHED.
     * </pre>
     */
    default void createApiKey(dev.bellringer.v1.CreateApiKeyRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CreateApiKeyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getCreateApiKeyMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with the API keys of a namespace, newest first, page by page; without secrets.
     * </pre>
     */
    default void listApiKeys(dev.bellringer.v1.ListApiKeysRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListApiKeysResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListApiKeysMethod(), responseObserver);
    }

    /**
     * <pre>
     * Ends an API key, for ever: new calls with it fail within 30 s on every replica, open streams end
     * within 60 s. Repeating it is safe. Errors: API_KEY_NOT_FOUND.
     * </pre>
     */
    default void revokeApiKey(dev.bellringer.v1.RevokeApiKeyRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.RevokeApiKeyResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRevokeApiKeyMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with what was changed in a namespace and by whom, and with calls that were refused, newest
     * first, page by page. What an event tells of has been committed together with it.
     * </pre>
     */
    default void listAuditEvents(dev.bellringer.v1.ListAuditEventsRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListAuditEventsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListAuditEventsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service AccessService.
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public static abstract class AccessServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return AccessServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service AccessService.
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public static final class AccessServiceStub
      extends io.grpc.stub.AbstractAsyncStub<AccessServiceStub> {
    private AccessServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected AccessServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new AccessServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with who the caller is to the service. Anybody who is authenticated may ask.
     * </pre>
     */
    public void whoAmI(dev.bellringer.v1.WhoAmIRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.WhoAmIResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getWhoAmIMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Makes an API key. Its secret is in this answer and nowhere else. Errors: PERMISSION_DENIED for
     * a key that could do more than the caller; LIMIT_REACHED.
     * </pre>
     */
    public void createApiKey(dev.bellringer.v1.CreateApiKeyRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.CreateApiKeyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getCreateApiKeyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with the API keys of a namespace, newest first, page by page; without secrets.
     * </pre>
     */
    public void listApiKeys(dev.bellringer.v1.ListApiKeysRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListApiKeysResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListApiKeysMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Ends an API key, for ever: new calls with it fail within 30 s on every replica, open streams end
     * within 60 s. Repeating it is safe. Errors: API_KEY_NOT_FOUND.
     * </pre>
     */
    public void revokeApiKey(dev.bellringer.v1.RevokeApiKeyRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.RevokeApiKeyResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRevokeApiKeyMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with what was changed in a namespace and by whom, and with calls that were refused, newest
     * first, page by page. What an event tells of has been committed together with it.
     * </pre>
     */
    public void listAuditEvents(dev.bellringer.v1.ListAuditEventsRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListAuditEventsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListAuditEventsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service AccessService.
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public static final class AccessServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<AccessServiceBlockingV2Stub> {
    private AccessServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected AccessServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new AccessServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with who the caller is to the service. Anybody who is authenticated may ask.
     * </pre>
     */
    public dev.bellringer.v1.WhoAmIResponse whoAmI(dev.bellringer.v1.WhoAmIRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getWhoAmIMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes an API key. Its secret is in this answer and nowhere else. Errors: PERMISSION_DENIED for
     * a key that could do more than the caller; LIMIT_REACHED.
     * </pre>
     */
    public dev.bellringer.v1.CreateApiKeyResponse createApiKey(dev.bellringer.v1.CreateApiKeyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getCreateApiKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the API keys of a namespace, newest first, page by page; without secrets.
     * </pre>
     */
    public dev.bellringer.v1.ListApiKeysResponse listApiKeys(dev.bellringer.v1.ListApiKeysRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListApiKeysMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends an API key, for ever: new calls with it fail within 30 s on every replica, open streams end
     * within 60 s. Repeating it is safe. Errors: API_KEY_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.RevokeApiKeyResponse revokeApiKey(dev.bellringer.v1.RevokeApiKeyRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRevokeApiKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with what was changed in a namespace and by whom, and with calls that were refused, newest
     * first, page by page. What an event tells of has been committed together with it.
     * </pre>
     */
    public dev.bellringer.v1.ListAuditEventsResponse listAuditEvents(dev.bellringer.v1.ListAuditEventsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListAuditEventsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service AccessService.
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public static final class AccessServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<AccessServiceBlockingStub> {
    private AccessServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected AccessServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new AccessServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with who the caller is to the service. Anybody who is authenticated may ask.
     * </pre>
     */
    public dev.bellringer.v1.WhoAmIResponse whoAmI(dev.bellringer.v1.WhoAmIRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getWhoAmIMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Makes an API key. Its secret is in this answer and nowhere else. Errors: PERMISSION_DENIED for
     * a key that could do more than the caller; LIMIT_REACHED.
     * </pre>
     */
    public dev.bellringer.v1.CreateApiKeyResponse createApiKey(dev.bellringer.v1.CreateApiKeyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getCreateApiKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the API keys of a namespace, newest first, page by page; without secrets.
     * </pre>
     */
    public dev.bellringer.v1.ListApiKeysResponse listApiKeys(dev.bellringer.v1.ListApiKeysRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListApiKeysMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends an API key, for ever: new calls with it fail within 30 s on every replica, open streams end
     * within 60 s. Repeating it is safe. Errors: API_KEY_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.RevokeApiKeyResponse revokeApiKey(dev.bellringer.v1.RevokeApiKeyRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRevokeApiKeyMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with what was changed in a namespace and by whom, and with calls that were refused, newest
     * first, page by page. What an event tells of has been committed together with it.
     * </pre>
     */
    public dev.bellringer.v1.ListAuditEventsResponse listAuditEvents(dev.bellringer.v1.ListAuditEventsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListAuditEventsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service AccessService.
   * <pre>
   * Who may call the service, and what they may do. `bellringer permissions` prints which role may
   * call which method.
   * </pre>
   */
  public static final class AccessServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<AccessServiceFutureStub> {
    private AccessServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected AccessServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new AccessServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Answers with who the caller is to the service. Anybody who is authenticated may ask.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.WhoAmIResponse> whoAmI(
        dev.bellringer.v1.WhoAmIRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getWhoAmIMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Makes an API key. Its secret is in this answer and nowhere else. Errors: PERMISSION_DENIED for
     * a key that could do more than the caller; LIMIT_REACHED.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.CreateApiKeyResponse> createApiKey(
        dev.bellringer.v1.CreateApiKeyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getCreateApiKeyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with the API keys of a namespace, newest first, page by page; without secrets.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListApiKeysResponse> listApiKeys(
        dev.bellringer.v1.ListApiKeysRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListApiKeysMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Ends an API key, for ever: new calls with it fail within 30 s on every replica, open streams end
     * within 60 s. Repeating it is safe. Errors: API_KEY_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.RevokeApiKeyResponse> revokeApiKey(
        dev.bellringer.v1.RevokeApiKeyRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRevokeApiKeyMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with what was changed in a namespace and by whom, and with calls that were refused, newest
     * first, page by page. What an event tells of has been committed together with it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListAuditEventsResponse> listAuditEvents(
        dev.bellringer.v1.ListAuditEventsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListAuditEventsMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_WHO_AM_I = 0;
  private static final int METHODID_CREATE_API_KEY = 1;
  private static final int METHODID_LIST_API_KEYS = 2;
  private static final int METHODID_REVOKE_API_KEY = 3;
  private static final int METHODID_LIST_AUDIT_EVENTS = 4;

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
        case METHODID_WHO_AM_I:
          serviceImpl.whoAmI((dev.bellringer.v1.WhoAmIRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.WhoAmIResponse>) responseObserver);
          break;
        case METHODID_CREATE_API_KEY:
          serviceImpl.createApiKey((dev.bellringer.v1.CreateApiKeyRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.CreateApiKeyResponse>) responseObserver);
          break;
        case METHODID_LIST_API_KEYS:
          serviceImpl.listApiKeys((dev.bellringer.v1.ListApiKeysRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListApiKeysResponse>) responseObserver);
          break;
        case METHODID_REVOKE_API_KEY:
          serviceImpl.revokeApiKey((dev.bellringer.v1.RevokeApiKeyRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.RevokeApiKeyResponse>) responseObserver);
          break;
        case METHODID_LIST_AUDIT_EVENTS:
          serviceImpl.listAuditEvents((dev.bellringer.v1.ListAuditEventsRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListAuditEventsResponse>) responseObserver);
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
          getWhoAmIMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.WhoAmIRequest,
              dev.bellringer.v1.WhoAmIResponse>(
                service, METHODID_WHO_AM_I)))
        .addMethod(
          getCreateApiKeyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.CreateApiKeyRequest,
              dev.bellringer.v1.CreateApiKeyResponse>(
                service, METHODID_CREATE_API_KEY)))
        .addMethod(
          getListApiKeysMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListApiKeysRequest,
              dev.bellringer.v1.ListApiKeysResponse>(
                service, METHODID_LIST_API_KEYS)))
        .addMethod(
          getRevokeApiKeyMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.RevokeApiKeyRequest,
              dev.bellringer.v1.RevokeApiKeyResponse>(
                service, METHODID_REVOKE_API_KEY)))
        .addMethod(
          getListAuditEventsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListAuditEventsRequest,
              dev.bellringer.v1.ListAuditEventsResponse>(
                service, METHODID_LIST_AUDIT_EVENTS)))
        .build();
  }

  private static abstract class AccessServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    AccessServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.AccessServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("AccessService");
    }
  }

  private static final class AccessServiceFileDescriptorSupplier
      extends AccessServiceBaseDescriptorSupplier {
    AccessServiceFileDescriptorSupplier() {}
  }

  private static final class AccessServiceMethodDescriptorSupplier
      extends AccessServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    AccessServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (AccessServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new AccessServiceFileDescriptorSupplier())
              .addMethod(getWhoAmIMethod())
              .addMethod(getCreateApiKeyMethod())
              .addMethod(getListApiKeysMethod())
              .addMethod(getRevokeApiKeyMethod())
              .addMethod(getListAuditEventsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
