"""Reads all partitions of a topic from the start and prints partition, offset, key and value in hex, a record a line."""
import sys
from kafka import KafkaConsumer, TopicPartition

bootstrap, topic, expected = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
                         consumer_timeout_ms=15000, fetch_max_wait_ms=100)
partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
consumer.assign(partitions)
consumer.seek_to_beginning()
seen = 0
for record in consumer:
    key = b"" if record.key is None else record.key
    sys.stdout.write("%d %d %s %s\n" % (record.partition, record.offset, key.hex(), record.value.hex()))
    seen += 1
    if seen == expected:
        break
consumer.close()
