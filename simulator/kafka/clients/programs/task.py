"""What the programs of the Python clients share: the task that they were given, and how they answer."""
import base64
import json
import sys


def task():
    return json.loads(sys.stdin.readline())


def answer(result):
    print(json.dumps(result), flush=True)


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()
