"""Readers of librdkafka that may never be sent back, as Readers.java has them: `readers.py BOOTSTRAP NAME TOPIC
PARTITIONS ELSEWHERE`. One is assigned all partitions, one is the only member of a group and commits what it was given,
and one jumps to the ends that gateways of another zone (ELSEWHERE) tell, again and again. None has a place to fall back to (auto.offset.reset=error). Ends with its input."""
import json
import os
import sys
import threading
import time
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

bootstrap, name, topic, partition_count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
elsewhere = sys.argv[5]
ASK_MAX_S, ASK_EVERY_S, JUMP_EVERY_S, POLL_S = 30, 0.5, 0.3, 0.1
ASK_AGAIN = ("NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "OFFSET_NOT_AVAILABLE", "_DESTROY_BROKER", "_TRANSPORT",
             "_TIMED_OUT", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "_WAIT_COORD",
             # what it says where the only gateway it knows went away: it begins again at its bootstrap servers
             "_UNKNOWN_PARTITION", "_ALL_BROKERS_DOWN")
partitions = range(partition_count)
saying = threading.Lock()


def say(kind, **facts):
    with saying:
        sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
        sys.stdout.flush()


def say_error(role, error):
    say("error", who=role, code=error.name(), fatal=error.fatal(), text=error.str())


def at(places):
    return [TopicPartition(topic, p, offset) for p, offset in places.items()]


class Reader:
    """A consumer and what it was shown."""

    def __init__(self, role, servers=bootstrap):
        self.role, self.name, self.jumps = role, f"{name}-{role}", False
        self.next, self.ends, self.marks = {}, {}, {}
        self.consumer = Consumer({
            "bootstrap.servers": servers, "client.id": self.name, "group.id": self.name,
            "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 20,
            "statistics.interval.ms": 200, "stats_cb": self.on_stats, "error_cb": lambda e: say_error(role, e)})

    def on_stats(self, text):
        """High watermarks that came with fetched records."""
        for partition, facts in json.loads(text)["topics"].get(topic, {}).get("partitions", {}).items():
            if int(partition) >= 0 and facts["hi_offset"] >= 0:
                self.rises(self.marks, int(partition), facts["hi_offset"])
                self.marks[int(partition)] = facts["hi_offset"]

    def rises(self, seen, partition, high):
        before = seen.get(partition, 0)
        if high < before:
            say("sent-back", partition=partition, high=high, before=before, reader=self.name)

    def again(self, ask):
        """librdkafka leaves it to the application to ask once more where a leader moved."""
        until_s = time.monotonic() + ASK_MAX_S
        while True:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].name() not in ASK_AGAIN or time.monotonic() > until_s:
                    raise
                time.sleep(POLL_S)

    def ask_end(self, partition):
        """An answer to ListOffsets is below none before it, nor below what was read before it was asked for."""
        end = self.again(lambda: self.consumer.get_watermark_offsets(TopicPartition(topic, partition), ASK_MAX_S)[1])
        self.rises(self.ends, partition, end)
        self.rises(self.next, partition, end)
        self.ends[partition] = end
        return end

    def take(self):
        """How many records it was given."""
        given = 0
        for message in self.consumer.consume(100, POLL_S):
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    say_error(self.role, message.error())
                continue
            given += 1
            partition, offset = message.partition(), message.offset()
            producer, counter = message.value().decode().split(":")[:2]
            if not self.jumps:
                say("read", partition=partition, offset=offset, producer=producer, counter=int(counter),
                    reader=self.name)
            elif offset != self.next[partition]:
                say("astray", partition=partition, offset=offset, wanted=self.next[partition], reader=self.name)
            self.next[partition] = offset + 1
        return given


def read_assigned(reader):
    reader.consumer.assign(at({p: 0 for p in partitions}))
    next_s, asked = time.monotonic(), 0
    while True:
        reader.take()
        if time.monotonic() >= next_s:
            reader.ask_end(asked % partition_count)
            next_s, asked = time.monotonic() + ASK_EVERY_S / partition_count, asked + 1


def read_as_member(reader):
    """Whoever loses its partitions goes on where it committed last: no record is given twice."""
    commit(reader, {p: 0 for p in partitions})
    reader.consumer.subscribe([topic])
    while True:
        if reader.take() > 0:
            commit(reader, reader.next)


def commit(reader, places):
    reader.again(lambda: reader.consumer.commit(offsets=at(places), asynchronous=False))


def jump(reader):
    """The end that a gateway of one zone told is a place from which any other reads on, however far its view is."""
    asker = Reader("asker", elsewhere)
    reader.jumps = True
    while True:
        reader.next = {p: asker.ask_end(p) for p in partitions}
        reader.consumer.assign(at(reader.next))
        until_s = time.monotonic() + JUMP_EVERY_S
        while time.monotonic() < until_s:
            reader.take()


def run(role, reading):
    try:
        reading(Reader(role))
    except KafkaException as error:
        say_error(role, error.args[0])
        say("error", who=role, code="ENDED", fatal=True, text=str(error))


for role, reading in (("assigned", read_assigned), ("group", read_as_member), ("jumper", jump)):
    threading.Thread(target=run, args=(role, reading), daemon=True).start()
sys.stdin.read()
os._exit(0)
