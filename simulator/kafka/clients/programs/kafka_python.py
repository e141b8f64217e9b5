"""kafka-python."""
import importlib.util

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from task import answer, decode, encode, task

MODULES = {"none": "kafka", "gzip": "zlib", "snappy": "snappy", "lz4": "lz4", "zstd": "zstandard"}


def settings(connection):
    secure = connection.get("secure")
    chosen = {"bootstrap_servers": connection["bootstrap"].split(","), "client_id": "kafka-python"}
    if secure is None:
        return chosen
    return chosen | {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": secure["ca"],
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": secure["username"],
        "sasl_plain_password": secure["password"],
    }


def produce(connection, topics, records):
    for one in topics:
        codec = None if one["codec"] == "none" else one["codec"]
        producer = KafkaProducer(**settings(connection), compression_type=codec, linger_ms=50)
        sent = [
            producer.send(
                one["topic"],
                key=decode(record["key"]),
                value=decode(record["value"]),
                headers=[(name, decode(value)) for name, value in record["headers"]],
                timestamp_ms=record["timestampMs"],
            )
            for record in records
        ]
        for future in sent:
            future.get(timeout=30)
        producer.close()
    answer({})


def consume(connection, topics, count):
    consumer = KafkaConsumer(**settings(connection), enable_auto_commit=False, fetch_max_wait_ms=50)
    partitions = [TopicPartition(topic, 0) for topic in topics]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    records = {topic: [] for topic in topics}
    while any(len(found) < count for found in records.values()):
        for found in consumer.poll(timeout_ms=1000).values():
            for record in found:
                records[record.topic].append(
                    {
                        "key": encode(record.key),
                        "value": encode(record.value),
                        "headers": [[name, encode(value)] for name, value in record.headers],
                        "timestampMs": record.timestamp,
                    }
                )
    consumer.close()
    answer({"records": records})


asked = task()
what = asked.pop("do")
if what == "describe":
    codecs = [codec for codec, module in MODULES.items() if importlib.util.find_spec(module)]
    answer({"version": kafka.__version__, "codecs": codecs})
elif what == "produce":
    produce(**asked)
elif what == "consume":
    consume(**asked)
