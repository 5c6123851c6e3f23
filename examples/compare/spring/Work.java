import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** The work of the consumer in Java: the same as work.ts, and not counted either. */
final class Work {
  /** What a message must have; an absent field or another type is an error. */
  record Mail(
      String id,
      String to,
      int failures,
      int durationMs,
      boolean isFatal,
      boolean isPoison,
      int freezesProcess) {}

  /** The class of error that no retry can help. */
  static final class NoSuchAddress extends RuntimeException {
    NoSuchAddress(String message) {
      super(message);
    }
  }

  private static final int FLUSH_MS = 300;
  private static final int PROCESS_NUMBER = Integer.parseInt(System.getenv("PROCESS_NUMBER"));
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static volatile boolean isFrozen = false;

  private Work() {}

  private static void report(String event, Mail mail, int attempt) {
    var line = Map.of("event", event, "id", mail.id(), "attempt", attempt);
    System.out.println(MAPPER.writeValueAsString(line));
  }

  static void send(Mail mail, int attempt) throws InterruptedException {
    report("start", mail, attempt);
    if (mail.isPoison()) Runtime.getRuntime().halt(137);
    Thread.sleep(mail.durationMs());
    if (mail.freezesProcess() == PROCESS_NUMBER) {
      isFrozen = true;
      Thread.sleep(FLUSH_MS);
      report("frozen", mail, attempt);
    }
    // No handler ends any more, so what was acknowledged and what was not is known at the kill.
    while (isFrozen) Thread.sleep(1_000);
    if (mail.isFatal()) {
      report("failed", mail, attempt);
      throw new NoSuchAddress("there is no such address");
    }
    if (attempt <= mail.failures()) {
      report("failed", mail, attempt);
      throw new IllegalStateException("the mail server is busy at attempt " + attempt);
    }
    report("sent", mail, attempt);
  }
}
