"""confluent-kafka, librdkafka for Python."""
import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from task import answer, decode, encode, task

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def settings(connection):
    secure = connection.get("secure")
    chosen = {"bootstrap.servers": connection["bootstrap"], "client.id": "confluent-kafka"}
    if secure is None:
        return chosen
    return chosen | {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": secure["ca"],
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": secure["username"],
        "sasl.password": secure["password"],
    }


def produce(connection, topics, records):
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for one in topics:
        producer = Producer(settings(connection) | {"compression.codec": one["codec"], "linger.ms": 50})
        for record in records:
            producer.produce(
                one["topic"],
                key=decode(record["key"]),
                value=decode(record["value"]),
                headers=[(name, decode(value)) for name, value in record["headers"]],
                timestamp=record["timestampMs"],
                on_delivery=delivered,
            )
        if producer.flush(30) > 0:
            failures.append("not delivered")
    if failures:
        raise SystemExit("; ".join(failures))
    answer({})


def consume(connection, topics, count):
    consumer = Consumer(
        settings(connection)
        | {"group.id": "confluent-kafka", "enable.auto.commit": False, "fetch.wait.max.ms": 50}
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
    records = {topic: [] for topic in topics}
    while any(len(found) < count for found in records.values()):
        for message in consumer.consume(100, timeout=1):
            if message.error() is not None:
                raise SystemExit(str(message.error()))
            records[message.topic()].append(
                {
                    "key": encode(message.key()),
                    "value": encode(message.value()),
                    "headers": [[name, encode(value)] for name, value in message.headers() or []],
                    "timestampMs": message.timestamp()[1],
                }
            )
    consumer.close()
    answer({"records": records})


asked = task()
what = asked.pop("do")
if what == "describe":
    version = f"{confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}"
    answer({"version": version, "codecs": CODECS})
elif what == "produce":
    produce(**asked)
elif what == "consume":
    consume(**asked)
