package dev.bellringer.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
 * fires, and each time of a schedule at most once.
 * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ScheduleServiceGrpc {

  private ScheduleServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "bellringer.v1.ScheduleService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ScheduleRequest,
      dev.bellringer.v1.ScheduleResponse> getScheduleMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Schedule",
      requestType = dev.bellringer.v1.ScheduleRequest.class,
      responseType = dev.bellringer.v1.ScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ScheduleRequest,
      dev.bellringer.v1.ScheduleResponse> getScheduleMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ScheduleRequest, dev.bellringer.v1.ScheduleResponse> getScheduleMethod;
    if ((getScheduleMethod = ScheduleServiceGrpc.getScheduleMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getScheduleMethod = ScheduleServiceGrpc.getScheduleMethod) == null) {
          ScheduleServiceGrpc.getScheduleMethod = getScheduleMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ScheduleRequest, dev.bellringer.v1.ScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Schedule"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Schedule"))
              .build();
        }
      }
    }
    return getScheduleMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.GetScheduleRequest,
      dev.bellringer.v1.GetScheduleResponse> getGetMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Get",
      requestType = dev.bellringer.v1.GetScheduleRequest.class,
      responseType = dev.bellringer.v1.GetScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.GetScheduleRequest,
      dev.bellringer.v1.GetScheduleResponse> getGetMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.GetScheduleRequest, dev.bellringer.v1.GetScheduleResponse> getGetMethod;
    if ((getGetMethod = ScheduleServiceGrpc.getGetMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getGetMethod = ScheduleServiceGrpc.getGetMethod) == null) {
          ScheduleServiceGrpc.getGetMethod = getGetMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.GetScheduleRequest, dev.bellringer.v1.GetScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Get"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.GetScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Get"))
              .build();
        }
      }
    }
    return getGetMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListSchedulesRequest,
      dev.bellringer.v1.ListSchedulesResponse> getListMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "List",
      requestType = dev.bellringer.v1.ListSchedulesRequest.class,
      responseType = dev.bellringer.v1.ListSchedulesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListSchedulesRequest,
      dev.bellringer.v1.ListSchedulesResponse> getListMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListSchedulesRequest, dev.bellringer.v1.ListSchedulesResponse> getListMethod;
    if ((getListMethod = ScheduleServiceGrpc.getListMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getListMethod = ScheduleServiceGrpc.getListMethod) == null) {
          ScheduleServiceGrpc.getListMethod = getListMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListSchedulesRequest, dev.bellringer.v1.ListSchedulesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "List"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListSchedulesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListSchedulesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("List"))
              .build();
        }
      }
    }
    return getListMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.UpdateScheduleRequest,
      dev.bellringer.v1.UpdateScheduleResponse> getUpdateMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Update",
      requestType = dev.bellringer.v1.UpdateScheduleRequest.class,
      responseType = dev.bellringer.v1.UpdateScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.UpdateScheduleRequest,
      dev.bellringer.v1.UpdateScheduleResponse> getUpdateMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.UpdateScheduleRequest, dev.bellringer.v1.UpdateScheduleResponse> getUpdateMethod;
    if ((getUpdateMethod = ScheduleServiceGrpc.getUpdateMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getUpdateMethod = ScheduleServiceGrpc.getUpdateMethod) == null) {
          ScheduleServiceGrpc.getUpdateMethod = getUpdateMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.UpdateScheduleRequest, dev.bellringer.v1.UpdateScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Update"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.UpdateScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.UpdateScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Update"))
              .build();
        }
      }
    }
    return getUpdateMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.PauseScheduleRequest,
      dev.bellringer.v1.PauseScheduleResponse> getPauseMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Pause",
      requestType = dev.bellringer.v1.PauseScheduleRequest.class,
      responseType = dev.bellringer.v1.PauseScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.PauseScheduleRequest,
      dev.bellringer.v1.PauseScheduleResponse> getPauseMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.PauseScheduleRequest, dev.bellringer.v1.PauseScheduleResponse> getPauseMethod;
    if ((getPauseMethod = ScheduleServiceGrpc.getPauseMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getPauseMethod = ScheduleServiceGrpc.getPauseMethod) == null) {
          ScheduleServiceGrpc.getPauseMethod = getPauseMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.PauseScheduleRequest, dev.bellringer.v1.PauseScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Pause"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PauseScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PauseScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Pause"))
              .build();
        }
      }
    }
    return getPauseMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeScheduleRequest,
      dev.bellringer.v1.ResumeScheduleResponse> getResumeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Resume",
      requestType = dev.bellringer.v1.ResumeScheduleRequest.class,
      responseType = dev.bellringer.v1.ResumeScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeScheduleRequest,
      dev.bellringer.v1.ResumeScheduleResponse> getResumeMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ResumeScheduleRequest, dev.bellringer.v1.ResumeScheduleResponse> getResumeMethod;
    if ((getResumeMethod = ScheduleServiceGrpc.getResumeMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getResumeMethod = ScheduleServiceGrpc.getResumeMethod) == null) {
          ScheduleServiceGrpc.getResumeMethod = getResumeMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ResumeScheduleRequest, dev.bellringer.v1.ResumeScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Resume"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ResumeScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ResumeScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Resume"))
              .build();
        }
      }
    }
    return getResumeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.DeleteScheduleRequest,
      dev.bellringer.v1.DeleteScheduleResponse> getDeleteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Delete",
      requestType = dev.bellringer.v1.DeleteScheduleRequest.class,
      responseType = dev.bellringer.v1.DeleteScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.DeleteScheduleRequest,
      dev.bellringer.v1.DeleteScheduleResponse> getDeleteMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.DeleteScheduleRequest, dev.bellringer.v1.DeleteScheduleResponse> getDeleteMethod;
    if ((getDeleteMethod = ScheduleServiceGrpc.getDeleteMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getDeleteMethod = ScheduleServiceGrpc.getDeleteMethod) == null) {
          ScheduleServiceGrpc.getDeleteMethod = getDeleteMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.DeleteScheduleRequest, dev.bellringer.v1.DeleteScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Delete"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.DeleteScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.DeleteScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Delete"))
              .build();
        }
      }
    }
    return getDeleteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.TriggerScheduleRequest,
      dev.bellringer.v1.TriggerScheduleResponse> getTriggerMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Trigger",
      requestType = dev.bellringer.v1.TriggerScheduleRequest.class,
      responseType = dev.bellringer.v1.TriggerScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.TriggerScheduleRequest,
      dev.bellringer.v1.TriggerScheduleResponse> getTriggerMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.TriggerScheduleRequest, dev.bellringer.v1.TriggerScheduleResponse> getTriggerMethod;
    if ((getTriggerMethod = ScheduleServiceGrpc.getTriggerMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getTriggerMethod = ScheduleServiceGrpc.getTriggerMethod) == null) {
          ScheduleServiceGrpc.getTriggerMethod = getTriggerMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.TriggerScheduleRequest, dev.bellringer.v1.TriggerScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Trigger"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.TriggerScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.TriggerScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Trigger"))
              .build();
        }
      }
    }
    return getTriggerMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.BackfillScheduleRequest,
      dev.bellringer.v1.BackfillScheduleResponse> getBackfillMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Backfill",
      requestType = dev.bellringer.v1.BackfillScheduleRequest.class,
      responseType = dev.bellringer.v1.BackfillScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.BackfillScheduleRequest,
      dev.bellringer.v1.BackfillScheduleResponse> getBackfillMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.BackfillScheduleRequest, dev.bellringer.v1.BackfillScheduleResponse> getBackfillMethod;
    if ((getBackfillMethod = ScheduleServiceGrpc.getBackfillMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getBackfillMethod = ScheduleServiceGrpc.getBackfillMethod) == null) {
          ScheduleServiceGrpc.getBackfillMethod = getBackfillMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.BackfillScheduleRequest, dev.bellringer.v1.BackfillScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Backfill"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.BackfillScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.BackfillScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Backfill"))
              .build();
        }
      }
    }
    return getBackfillMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.PreviewScheduleRequest,
      dev.bellringer.v1.PreviewScheduleResponse> getPreviewMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Preview",
      requestType = dev.bellringer.v1.PreviewScheduleRequest.class,
      responseType = dev.bellringer.v1.PreviewScheduleResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.PreviewScheduleRequest,
      dev.bellringer.v1.PreviewScheduleResponse> getPreviewMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.PreviewScheduleRequest, dev.bellringer.v1.PreviewScheduleResponse> getPreviewMethod;
    if ((getPreviewMethod = ScheduleServiceGrpc.getPreviewMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getPreviewMethod = ScheduleServiceGrpc.getPreviewMethod) == null) {
          ScheduleServiceGrpc.getPreviewMethod = getPreviewMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.PreviewScheduleRequest, dev.bellringer.v1.PreviewScheduleResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Preview"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PreviewScheduleRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.PreviewScheduleResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("Preview"))
              .build();
        }
      }
    }
    return getPreviewMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.bellringer.v1.ListFiresRequest,
      dev.bellringer.v1.ListFiresResponse> getListFiresMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListFires",
      requestType = dev.bellringer.v1.ListFiresRequest.class,
      responseType = dev.bellringer.v1.ListFiresResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.bellringer.v1.ListFiresRequest,
      dev.bellringer.v1.ListFiresResponse> getListFiresMethod() {
    io.grpc.MethodDescriptor<dev.bellringer.v1.ListFiresRequest, dev.bellringer.v1.ListFiresResponse> getListFiresMethod;
    if ((getListFiresMethod = ScheduleServiceGrpc.getListFiresMethod) == null) {
      synchronized (ScheduleServiceGrpc.class) {
        if ((getListFiresMethod = ScheduleServiceGrpc.getListFiresMethod) == null) {
          ScheduleServiceGrpc.getListFiresMethod = getListFiresMethod =
              io.grpc.MethodDescriptor.<dev.bellringer.v1.ListFiresRequest, dev.bellringer.v1.ListFiresResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListFires"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListFiresRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.bellringer.v1.ListFiresResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ScheduleServiceMethodDescriptorSupplier("ListFires"))
              .build();
        }
      }
    }
    return getListFiresMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ScheduleServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceStub>() {
        @java.lang.Override
        public ScheduleServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScheduleServiceStub(channel, callOptions);
        }
      };
    return ScheduleServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ScheduleServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceBlockingV2Stub>() {
        @java.lang.Override
        public ScheduleServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScheduleServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return ScheduleServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ScheduleServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceBlockingStub>() {
        @java.lang.Override
        public ScheduleServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScheduleServiceBlockingStub(channel, callOptions);
        }
      };
    return ScheduleServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ScheduleServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ScheduleServiceFutureStub>() {
        @java.lang.Override
        public ScheduleServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ScheduleServiceFutureStub(channel, callOptions);
        }
      };
    return ScheduleServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Makes a schedule, or replaces the one of that name. Repeating it changes nothing.
     * Errors: SCHEDULE_EXISTS if `only_if_absent`.
     * </pre>
     */
    default void schedule(dev.bellringer.v1.ScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getScheduleMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with one schedule. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void get(dev.bellringer.v1.GetScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with the schedules that match, by name, page by page.
     * </pre>
     */
    default void list(dev.bellringer.v1.ListSchedulesRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListSchedulesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListMethod(), responseObserver);
    }

    /**
     * <pre>
     * Changes parts of a schedule. After the answer no later time fires by the old one.
     * Errors: SCHEDULE_NOT_FOUND, ETAG_MISMATCH.
     * </pre>
     */
    default void update(dev.bellringer.v1.UpdateScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.UpdateScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getUpdateMethod(), responseObserver);
    }

    /**
     * <pre>
     * Stops firing: times are recorded as skipped. Repeating it changes note and end.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void pause(dev.bellringer.v1.PauseScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPauseMethod(), responseObserver);
    }

    /**
     * <pre>
     * Fires again, from now on. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void resume(dev.bellringer.v1.ResumeScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResumeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Removes a schedule and its ledger. Its tasks stay. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void delete(dev.bellringer.v1.DeleteScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.DeleteScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDeleteMethod(), responseObserver);
    }

    /**
     * <pre>
     * Fires now, beside the times of the schedule, also while it is paused.
     * Errors: SCHEDULE_NOT_FOUND, SCHEDULE_OVERLAP.
     * </pre>
     */
    default void trigger(dev.bellringer.v1.TriggerScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.TriggerScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getTriggerMethod(), responseObserver);
    }

    /**
     * <pre>
     * Fires the times of a range in the past that did not fire: those without an entry in the ledger,
     * and those that were skipped, except excluded ones. The overlap policy is not asked.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void backfill(dev.bellringer.v1.BackfillScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.BackfillScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getBackfillMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with future times, of a schedule or of times that were not saved.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void preview(dev.bellringer.v1.PreviewScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PreviewScheduleResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPreviewMethod(), responseObserver);
    }

    /**
     * <pre>
     * Answers with the ledger of a schedule, newest first, page by page. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    default void listFires(dev.bellringer.v1.ListFiresRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListFiresResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListFiresMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service ScheduleService.
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public static abstract class ScheduleServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ScheduleServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service ScheduleService.
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public static final class ScheduleServiceStub
      extends io.grpc.stub.AbstractAsyncStub<ScheduleServiceStub> {
    private ScheduleServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScheduleServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScheduleServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a schedule, or replaces the one of that name. Repeating it changes nothing.
     * Errors: SCHEDULE_EXISTS if `only_if_absent`.
     * </pre>
     */
    public void schedule(dev.bellringer.v1.ScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getScheduleMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with one schedule. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void get(dev.bellringer.v1.GetScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.GetScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with the schedules that match, by name, page by page.
     * </pre>
     */
    public void list(dev.bellringer.v1.ListSchedulesRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListSchedulesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Changes parts of a schedule. After the answer no later time fires by the old one.
     * Errors: SCHEDULE_NOT_FOUND, ETAG_MISMATCH.
     * </pre>
     */
    public void update(dev.bellringer.v1.UpdateScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.UpdateScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getUpdateMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Stops firing: times are recorded as skipped. Repeating it changes note and end.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void pause(dev.bellringer.v1.PauseScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Fires again, from now on. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void resume(dev.bellringer.v1.ResumeScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Removes a schedule and its ledger. Its tasks stay. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void delete(dev.bellringer.v1.DeleteScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.DeleteScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDeleteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Fires now, beside the times of the schedule, also while it is paused.
     * Errors: SCHEDULE_NOT_FOUND, SCHEDULE_OVERLAP.
     * </pre>
     */
    public void trigger(dev.bellringer.v1.TriggerScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.TriggerScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getTriggerMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Fires the times of a range in the past that did not fire: those without an entry in the ledger,
     * and those that were skipped, except excluded ones. The overlap policy is not asked.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void backfill(dev.bellringer.v1.BackfillScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.BackfillScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getBackfillMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with future times, of a schedule or of times that were not saved.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void preview(dev.bellringer.v1.PreviewScheduleRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.PreviewScheduleResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPreviewMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Answers with the ledger of a schedule, newest first, page by page. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public void listFires(dev.bellringer.v1.ListFiresRequest request,
        io.grpc.stub.StreamObserver<dev.bellringer.v1.ListFiresResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListFiresMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service ScheduleService.
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public static final class ScheduleServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ScheduleServiceBlockingV2Stub> {
    private ScheduleServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScheduleServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScheduleServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a schedule, or replaces the one of that name. Repeating it changes nothing.
     * Errors: SCHEDULE_EXISTS if `only_if_absent`.
     * </pre>
     */
    public dev.bellringer.v1.ScheduleResponse schedule(dev.bellringer.v1.ScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getScheduleMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one schedule. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetScheduleResponse get(dev.bellringer.v1.GetScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the schedules that match, by name, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListSchedulesResponse list(dev.bellringer.v1.ListSchedulesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes parts of a schedule. After the answer no later time fires by the old one.
     * Errors: SCHEDULE_NOT_FOUND, ETAG_MISMATCH.
     * </pre>
     */
    public dev.bellringer.v1.UpdateScheduleResponse update(dev.bellringer.v1.UpdateScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getUpdateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stops firing: times are recorded as skipped. Repeating it changes note and end.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PauseScheduleResponse pause(dev.bellringer.v1.PauseScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires again, from now on. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ResumeScheduleResponse resume(dev.bellringer.v1.ResumeScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes a schedule and its ledger. Its tasks stay. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.DeleteScheduleResponse delete(dev.bellringer.v1.DeleteScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDeleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires now, beside the times of the schedule, also while it is paused.
     * Errors: SCHEDULE_NOT_FOUND, SCHEDULE_OVERLAP.
     * </pre>
     */
    public dev.bellringer.v1.TriggerScheduleResponse trigger(dev.bellringer.v1.TriggerScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getTriggerMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires the times of a range in the past that did not fire: those without an entry in the ledger,
     * and those that were skipped, except excluded ones. The overlap policy is not asked.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.BackfillScheduleResponse backfill(dev.bellringer.v1.BackfillScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getBackfillMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with future times, of a schedule or of times that were not saved.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PreviewScheduleResponse preview(dev.bellringer.v1.PreviewScheduleRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPreviewMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the ledger of a schedule, newest first, page by page. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ListFiresResponse listFires(dev.bellringer.v1.ListFiresRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListFiresMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service ScheduleService.
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public static final class ScheduleServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ScheduleServiceBlockingStub> {
    private ScheduleServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScheduleServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScheduleServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a schedule, or replaces the one of that name. Repeating it changes nothing.
     * Errors: SCHEDULE_EXISTS if `only_if_absent`.
     * </pre>
     */
    public dev.bellringer.v1.ScheduleResponse schedule(dev.bellringer.v1.ScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getScheduleMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with one schedule. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.GetScheduleResponse get(dev.bellringer.v1.GetScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the schedules that match, by name, page by page.
     * </pre>
     */
    public dev.bellringer.v1.ListSchedulesResponse list(dev.bellringer.v1.ListSchedulesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Changes parts of a schedule. After the answer no later time fires by the old one.
     * Errors: SCHEDULE_NOT_FOUND, ETAG_MISMATCH.
     * </pre>
     */
    public dev.bellringer.v1.UpdateScheduleResponse update(dev.bellringer.v1.UpdateScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getUpdateMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Stops firing: times are recorded as skipped. Repeating it changes note and end.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PauseScheduleResponse pause(dev.bellringer.v1.PauseScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPauseMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires again, from now on. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ResumeScheduleResponse resume(dev.bellringer.v1.ResumeScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResumeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Removes a schedule and its ledger. Its tasks stay. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.DeleteScheduleResponse delete(dev.bellringer.v1.DeleteScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDeleteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires now, beside the times of the schedule, also while it is paused.
     * Errors: SCHEDULE_NOT_FOUND, SCHEDULE_OVERLAP.
     * </pre>
     */
    public dev.bellringer.v1.TriggerScheduleResponse trigger(dev.bellringer.v1.TriggerScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getTriggerMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Fires the times of a range in the past that did not fire: those without an entry in the ledger,
     * and those that were skipped, except excluded ones. The overlap policy is not asked.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.BackfillScheduleResponse backfill(dev.bellringer.v1.BackfillScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getBackfillMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with future times, of a schedule or of times that were not saved.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.PreviewScheduleResponse preview(dev.bellringer.v1.PreviewScheduleRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPreviewMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Answers with the ledger of a schedule, newest first, page by page. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public dev.bellringer.v1.ListFiresResponse listFires(dev.bellringer.v1.ListFiresRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListFiresMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service ScheduleService.
   * <pre>
   * For tasks that are made by the clock. Any number of replicas may run: exactly one, the leader,
   * fires, and each time of a schedule at most once.
   * Names of schedules have the form of `TaskSpec.kind`. Errors are given as in TaskService.
   * </pre>
   */
  public static final class ScheduleServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<ScheduleServiceFutureStub> {
    private ScheduleServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ScheduleServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ScheduleServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Makes a schedule, or replaces the one of that name. Repeating it changes nothing.
     * Errors: SCHEDULE_EXISTS if `only_if_absent`.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ScheduleResponse> schedule(
        dev.bellringer.v1.ScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getScheduleMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with one schedule. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.GetScheduleResponse> get(
        dev.bellringer.v1.GetScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with the schedules that match, by name, page by page.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListSchedulesResponse> list(
        dev.bellringer.v1.ListSchedulesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Changes parts of a schedule. After the answer no later time fires by the old one.
     * Errors: SCHEDULE_NOT_FOUND, ETAG_MISMATCH.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.UpdateScheduleResponse> update(
        dev.bellringer.v1.UpdateScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getUpdateMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Stops firing: times are recorded as skipped. Repeating it changes note and end.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.PauseScheduleResponse> pause(
        dev.bellringer.v1.PauseScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPauseMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Fires again, from now on. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ResumeScheduleResponse> resume(
        dev.bellringer.v1.ResumeScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResumeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Removes a schedule and its ledger. Its tasks stay. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.DeleteScheduleResponse> delete(
        dev.bellringer.v1.DeleteScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDeleteMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Fires now, beside the times of the schedule, also while it is paused.
     * Errors: SCHEDULE_NOT_FOUND, SCHEDULE_OVERLAP.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.TriggerScheduleResponse> trigger(
        dev.bellringer.v1.TriggerScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getTriggerMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Fires the times of a range in the past that did not fire: those without an entry in the ledger,
     * and those that were skipped, except excluded ones. The overlap policy is not asked.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.BackfillScheduleResponse> backfill(
        dev.bellringer.v1.BackfillScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getBackfillMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with future times, of a schedule or of times that were not saved.
     * Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.PreviewScheduleResponse> preview(
        dev.bellringer.v1.PreviewScheduleRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPreviewMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Answers with the ledger of a schedule, newest first, page by page. Errors: SCHEDULE_NOT_FOUND.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.bellringer.v1.ListFiresResponse> listFires(
        dev.bellringer.v1.ListFiresRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListFiresMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_SCHEDULE = 0;
  private static final int METHODID_GET = 1;
  private static final int METHODID_LIST = 2;
  private static final int METHODID_UPDATE = 3;
  private static final int METHODID_PAUSE = 4;
  private static final int METHODID_RESUME = 5;
  private static final int METHODID_DELETE = 6;
  private static final int METHODID_TRIGGER = 7;
  private static final int METHODID_BACKFILL = 8;
  private static final int METHODID_PREVIEW = 9;
  private static final int METHODID_LIST_FIRES = 10;

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
        case METHODID_SCHEDULE:
          serviceImpl.schedule((dev.bellringer.v1.ScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ScheduleResponse>) responseObserver);
          break;
        case METHODID_GET:
          serviceImpl.get((dev.bellringer.v1.GetScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.GetScheduleResponse>) responseObserver);
          break;
        case METHODID_LIST:
          serviceImpl.list((dev.bellringer.v1.ListSchedulesRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListSchedulesResponse>) responseObserver);
          break;
        case METHODID_UPDATE:
          serviceImpl.update((dev.bellringer.v1.UpdateScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.UpdateScheduleResponse>) responseObserver);
          break;
        case METHODID_PAUSE:
          serviceImpl.pause((dev.bellringer.v1.PauseScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.PauseScheduleResponse>) responseObserver);
          break;
        case METHODID_RESUME:
          serviceImpl.resume((dev.bellringer.v1.ResumeScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ResumeScheduleResponse>) responseObserver);
          break;
        case METHODID_DELETE:
          serviceImpl.delete((dev.bellringer.v1.DeleteScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.DeleteScheduleResponse>) responseObserver);
          break;
        case METHODID_TRIGGER:
          serviceImpl.trigger((dev.bellringer.v1.TriggerScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.TriggerScheduleResponse>) responseObserver);
          break;
        case METHODID_BACKFILL:
          serviceImpl.backfill((dev.bellringer.v1.BackfillScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.BackfillScheduleResponse>) responseObserver);
          break;
        case METHODID_PREVIEW:
          serviceImpl.preview((dev.bellringer.v1.PreviewScheduleRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.PreviewScheduleResponse>) responseObserver);
          break;
        case METHODID_LIST_FIRES:
          serviceImpl.listFires((dev.bellringer.v1.ListFiresRequest) request,
              (io.grpc.stub.StreamObserver<dev.bellringer.v1.ListFiresResponse>) responseObserver);
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
          getScheduleMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ScheduleRequest,
              dev.bellringer.v1.ScheduleResponse>(
                service, METHODID_SCHEDULE)))
        .addMethod(
          getGetMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.GetScheduleRequest,
              dev.bellringer.v1.GetScheduleResponse>(
                service, METHODID_GET)))
        .addMethod(
          getListMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListSchedulesRequest,
              dev.bellringer.v1.ListSchedulesResponse>(
                service, METHODID_LIST)))
        .addMethod(
          getUpdateMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.UpdateScheduleRequest,
              dev.bellringer.v1.UpdateScheduleResponse>(
                service, METHODID_UPDATE)))
        .addMethod(
          getPauseMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.PauseScheduleRequest,
              dev.bellringer.v1.PauseScheduleResponse>(
                service, METHODID_PAUSE)))
        .addMethod(
          getResumeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ResumeScheduleRequest,
              dev.bellringer.v1.ResumeScheduleResponse>(
                service, METHODID_RESUME)))
        .addMethod(
          getDeleteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.DeleteScheduleRequest,
              dev.bellringer.v1.DeleteScheduleResponse>(
                service, METHODID_DELETE)))
        .addMethod(
          getTriggerMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.TriggerScheduleRequest,
              dev.bellringer.v1.TriggerScheduleResponse>(
                service, METHODID_TRIGGER)))
        .addMethod(
          getBackfillMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.BackfillScheduleRequest,
              dev.bellringer.v1.BackfillScheduleResponse>(
                service, METHODID_BACKFILL)))
        .addMethod(
          getPreviewMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.PreviewScheduleRequest,
              dev.bellringer.v1.PreviewScheduleResponse>(
                service, METHODID_PREVIEW)))
        .addMethod(
          getListFiresMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.bellringer.v1.ListFiresRequest,
              dev.bellringer.v1.ListFiresResponse>(
                service, METHODID_LIST_FIRES)))
        .build();
  }

  private static abstract class ScheduleServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ScheduleServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.bellringer.v1.ScheduleServiceOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("ScheduleService");
    }
  }

  private static final class ScheduleServiceFileDescriptorSupplier
      extends ScheduleServiceBaseDescriptorSupplier {
    ScheduleServiceFileDescriptorSupplier() {}
  }

  private static final class ScheduleServiceMethodDescriptorSupplier
      extends ScheduleServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ScheduleServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (ScheduleServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ScheduleServiceFileDescriptorSupplier())
              .addMethod(getScheduleMethod())
              .addMethod(getGetMethod())
              .addMethod(getListMethod())
              .addMethod(getUpdateMethod())
              .addMethod(getPauseMethod())
              .addMethod(getResumeMethod())
              .addMethod(getDeleteMethod())
              .addMethod(getTriggerMethod())
              .addMethod(getBackfillMethod())
              .addMethod(getPreviewMethod())
              .addMethod(getListFiresMethod())
              .build();
        }
      }
    }
    return result;
  }
}
