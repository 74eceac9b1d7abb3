package dev.bellringer.scenario;

import dev.bellringer.v1.TaskServiceGrpc;
import dev.bellringer.v1.WorkerServiceGrpc;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.net.URI;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The scenario of tests/clients/README.md, with nothing but the generated stubs. */
public final class Main {
  private static final long LIMIT_SECONDS = 60; // for everything

  private Main() {}

  public static void main(String[] arguments) {
    try {
      var scenario = Executors.newSingleThreadExecutor();
      scenario.submit(Main::run).get(LIMIT_SECONDS, TimeUnit.SECONDS);
      System.out.println("PASS java");
      System.exit(0);
    } catch (Exception error) {
      var reason = error instanceof ExecutionException ? error.getCause() : error;
      System.err.println("FAIL java: " + reason);
      System.exit(1);
    }
  }

  private static Void run() throws Exception {
    var channel = connect(System.getenv("BELLRINGER_SERVER"));
    var tasks = TaskServiceGrpc.newBlockingStub(channel);
    var queue = "clients-java-" + UUID.randomUUID().toString().substring(0, 8);
    var scenario = new Scenario(tasks, WorkerServiceGrpc.newStub(channel), queue);
    scenario.submitWatchAndRun();
    scenario.cancelWaiting();
    RichErrors.read(tasks);
    channel.shutdownNow();
    return null;
  }

  private static ManagedChannel connect(String server) {
    if (server == null) {
      throw new IllegalArgumentException("BELLRINGER_SERVER is not set");
    }
    var address = URI.create(server);
    var security =
        "https".equals(address.getScheme())
            ? TlsChannelCredentials.create()
            : InsecureChannelCredentials.create();
    return Grpc.newChannelBuilder(address.getAuthority(), security).build();
  }
}
