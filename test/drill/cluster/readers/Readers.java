import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Readers of Apache Kafka's own client that may never be sent back: `Readers BOOTSTRAP NAME TOPIC PARTITIONS ELSEWHERE`. One
 * is assigned all partitions, one is the only member of a group and commits what it was given, and one jumps to the
 * ends that gateways of another zone (ELSEWHERE) tell, again and again. None has a place to fall back to (auto.offset.reset=none): an offset out of range and a truncated
 * log are errors of the application. Says what they see as JSON lines that client-said.ts knows. Ends with its input.
 */
public final class Readers {
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration ASK_MAX = Duration.ofSeconds(30);
  private static final long ASK_EVERY_NS = 500_000_000L;
  private static final long JUMP_EVERY_NS = 300_000_000L;

  private final String bootstrap;
  private final String elsewhere;
  private final String name;
  private final String topic;
  private final List<TopicPartition> partitions;

  private Readers(String bootstrap, String name, String topic, int partitionCount, String elsewhere) {
    this.bootstrap = bootstrap;
    this.elsewhere = elsewhere;
    this.name = name;
    this.topic = topic;
    partitions = IntStream.range(0, partitionCount).mapToObj(i -> new TopicPartition(topic, i)).toList();
  }

  public static void main(String[] args) throws IOException {
    Readers readers = new Readers(args[0], args[1], args[2], Integer.parseInt(args[3]), args[4]);
    readers.start("assigned", readers::readAssigned);
    readers.start("group", readers::readAsMember);
    readers.start("jumper", readers::jump);
    while (System.in.read() != -1) continue;
    Runtime.getRuntime().halt(0);
  }

  private interface Reading {
    void run(KafkaConsumer<String, String> consumer, Seen seen);
  }

  private void start(String role, Reading reading) {
    String reader = name + "-" + role;
    Thread thread = new Thread(() -> {
      try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings(reader, bootstrap))) {
        reading.run(consumer, new Seen(reader));
      } catch (RuntimeException error) {
        String text = String.valueOf(error.getMessage()).replace('\\', '/').replace('"', '\'').replace('\n', ' ');
        say("\"kind\":\"error\",\"who\":\"%s\",\"code\":\"%s\",\"text\":\"%s\",\"fatal\":true", role,
            error.getClass().getSimpleName(), text);
      }
    }, role);
    thread.setDaemon(true);
    thread.start();
  }

  private Properties settings(String reader, String servers) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", servers);
    settings.put("client.id", reader);
    settings.put("group.id", reader);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "none");
    settings.put("fetch.max.wait.ms", "20");
    settings.put("max.partition.fetch.bytes", "65536");
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    return settings;
  }

  private void readAssigned(KafkaConsumer<String, String> consumer, Seen seen) {
    consumer.assign(partitions);
    partitions.forEach(partition -> consumer.seek(partition, 0));
    for (long nextNs = System.nanoTime(); ; ) {
      seen.take(consumer.poll(POLL));
      seen.marks(consumer);
      if (System.nanoTime() < nextNs) continue;
      seen.ends(consumer.endOffsets(partitions, ASK_MAX));
      nextNs = System.nanoTime() + ASK_EVERY_NS;
    }
  }

  /** Whoever loses its partitions goes on where it committed last: no record is given twice. */
  private void readAsMember(KafkaConsumer<String, String> consumer, Seen seen) {
    consumer.assign(partitions);
    consumer.commitSync(partitions.stream().collect(Collectors.toMap(p -> p, p -> new OffsetAndMetadata(0))), ASK_MAX);
    consumer.unsubscribe();
    consumer.subscribe(List.of(topic));
    for (;;) {
      seen.take(consumer.poll(POLL));
      seen.marks(consumer);
      consumer.commitSync(ASK_MAX);
    }
  }

  /** The end that a gateway of one zone told is a place from which any other reads on, however far its view is. */
  private void jump(KafkaConsumer<String, String> consumer, Seen seen) {
    KafkaConsumer<String, String> asker = new KafkaConsumer<>(settings(name + "-asker", elsewhere));
    consumer.assign(partitions);
    for (;;) {
      Map<TopicPartition, Long> ends = asker.endOffsets(partitions, ASK_MAX);
      seen.ends(ends);
      ends.forEach(consumer::seek);
      seen.jumpedTo(ends);
      for (long untilNs = System.nanoTime() + JUMP_EVERY_NS; System.nanoTime() < untilNs; ) {
        seen.take(consumer.poll(POLL));
        seen.marks(consumer);
      }
    }
  }

  /** What one reader was shown. */
  private final class Seen {
    private final String reader;
    private final Map<TopicPartition, Long> next = new HashMap<>();
    private final Map<TopicPartition, Long> ends = new HashMap<>();
    private final Map<TopicPartition, Long> marks = new HashMap<>();
    private boolean jumps;

    Seen(String reader) {
      this.reader = reader;
    }

    void take(Iterable<ConsumerRecord<String, String>> records) {
      for (ConsumerRecord<String, String> record : records) {
        TopicPartition partition = new TopicPartition(record.topic(), record.partition());
        String[] parts = record.value().split(":", 3);
        if (jumps && record.offset() != next.get(partition)) {
          say("\"kind\":\"astray\",\"partition\":%d,\"offset\":%d,\"wanted\":%d,\"reader\":\"%s\"",
              record.partition(), record.offset(), next.get(partition), reader);
        }
        if (!jumps) {
          say("\"kind\":\"read\",\"partition\":%d,\"offset\":%d,\"producer\":\"%s\",\"counter\":%s,\"reader\":\"%s\"",
              record.partition(), record.offset(), parts[0], parts[1], reader);
        }
        next.put(partition, record.offset() + 1);
      }
    }

    void jumpedTo(Map<TopicPartition, Long> places) {
      jumps = true;
      next.putAll(places);
    }

    /** Answers to ListOffsets: none is below one before it, nor below what was read before it was asked for. */
    void ends(Map<TopicPartition, Long> told) {
      told.forEach((partition, end) -> {
        rises(ends, partition, end);
        rises(next, partition, end);
      });
    }

    /** High watermarks that came with fetched records. */
    void marks(KafkaConsumer<String, String> consumer) {
      for (TopicPartition partition : consumer.assignment()) {
        OptionalLong lag = consumer.currentLag(partition);
        if (lag.isPresent()) rises(marks, partition, consumer.position(partition) + lag.getAsLong());
      }
    }

    private void rises(Map<TopicPartition, Long> seen, TopicPartition partition, long high) {
      long before = seen.getOrDefault(partition, 0L);
      if (high < before) {
        say("\"kind\":\"sent-back\",\"partition\":%d,\"high\":%d,\"before\":%d,\"reader\":\"%s\"",
            partition.partition(), high, before, reader);
      }
      if (seen != next) seen.put(partition, high);
    }
  }

  private static void say(String form, Object... facts) {
    System.out.println("{" + String.format(form, facts) + "}");
  }
}
