"""An idempotent producer and a consumer of librdkafka, as applications use them: `librdkafka.py BOOTSTRAP NAME TOPIC
PARTITIONS`. Says what it does and sees as JSON lines. `stop` on the standard input: no new records, what was begun goes
on; `quit`: ends."""
import json
import select
import sys
import time
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

bootstrap, name, topic, partition_count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
PAUSE_S = 0.03


def say(kind, **facts):
    sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")


def on_error(who):
    def said(error):
        say("error", who=who, code=error.name(), fatal=error.fatal(), text=error.str())
    return said


watermarks = {}


def on_stats(text):
    for partition, facts in json.loads(text)["topics"].get(topic, {}).get("partitions", {}).items():
        high = facts["hi_offset"]
        if high < 0:
            continue
        if high < watermarks.get(partition, 0):
            say("sent-back", partition=int(partition), high=high, before=watermarks[partition])
        watermarks[partition] = high


common = {"bootstrap.servers": bootstrap, "client.id": name}
producer = Producer({**common, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 300000,
                     "error_cb": on_error("producer")})
consumer = Consumer({**common, "group.id": name, "enable.auto.commit": False, "auto.offset.reset": "error",
                     "fetch.wait.max.ms": 200, "statistics.interval.ms": 500, "stats_cb": on_stats,
                     "error_cb": on_error("consumer")})
consumer.assign([TopicPartition(topic, p, 0) for p in range(partition_count)])
counters = [0] * partition_count
waiting = 0


def send(partition):
    global waiting
    counter = counters[partition]
    counters[partition] += 1
    sent_s = time.monotonic()

    def delivered(error, message):
        global waiting
        waiting -= 1
        if error is not None:
            say("undelivered", partition=partition, counter=counter, code=error.name(), text=error.str())
        else:
            say("acked", partition=partition, counter=counter, offset=message.offset(),
                ms=round(1000 * (time.monotonic() - sent_s), 1))

    say("sent", partition=partition, counter=counter)
    producer.produce(topic, f"{name}:{counter}:".encode(), partition=partition, on_delivery=delivered)
    waiting += 1


stopping, told_done, n = False, False, 0
next_s = time.monotonic()
while True:
    if not stopping and time.monotonic() >= next_s:
        send(n % partition_count)
        n += 1
        next_s = time.monotonic() + PAUSE_S
    producer.poll(0)
    for message in consumer.consume(100, 0.01):
        if message.error() is None:
            producer_name, counter = message.value().decode().split(":")[:2]
            say("read", partition=message.partition(), offset=message.offset(), producer=producer_name,
                counter=int(counter))
        elif message.error().code() != KafkaError._PARTITION_EOF:
            on_error("consumer")(message.error())
    if stopping and waiting == 0 and not told_done:
        say("done")
        told_done = True
    sys.stdout.flush()
    if select.select([sys.stdin], [], [], 0)[0]:
        word = sys.stdin.readline().strip()
        if word in ("quit", ""):
            break
        stopping = True
consumer.close()
