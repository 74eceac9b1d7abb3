package dev.bellringer.scenario;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import dev.bellringer.v1.Payload;

/** What every part of the scenario needs. */
final class Check {
  private Check() {}

  static void that(boolean condition, Object what) {
    if (!condition) {
      throw new AssertionError(what);
    }
  }

  static Payload json(String text) {
    var value = Value.newBuilder();
    try {
      JsonFormat.parser().merge(text, value);
    } catch (InvalidProtocolBufferException error) {
      throw new AssertionError(error);
    }
    return Payload.newBuilder().setJson(value).build();
  }
}
