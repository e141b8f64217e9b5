import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assertCounted } from "#fixtures/properties.ts";
import {
  JOURNAL_HEADER_BYTES,
  decodeFrames,
  decodeJournalHeader,
  encodeFrame,
  encodeJournalHeader,
} from "./frames.ts";

const record = fc.record({
  kind: fc.string(),
  value: fc.oneof(fc.string(), fc.double(), fc.nat()),
});

function texts(payloads: readonly Uint8Array[]): string[] {
  return payloads.map((payload) => new TextDecoder().decode(payload));
}

test("what was encoded is decoded", () => {
  assertCounted(
    fc.property(fc.array(record), (records) => {
      const bytes = Buffer.concat(records.map(encodeFrame));
      const decoded = decodeFrames(bytes);
      expect(texts(decoded.payloads)).toEqual(records.map((value) => JSON.stringify(value)));
      expect(decoded).toMatchObject({ consumedBytes: bytes.length, damage: undefined });
    }),
  );
});

test("every prefix gives the records that are whole in it, without damage", () => {
  assertCounted(
    fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), fc.nat(), (records, cut) => {
      const frames = records.map(encodeFrame);
      const bytes = Buffer.concat(frames);
      const length = cut % (bytes.length + 1);
      const { payloads, consumedBytes, damage } = decodeFrames(bytes.subarray(0, length));
      let whole = 0;
      let end = 0;
      for (const frame of frames) {
        if (end + frame.length > length) break;
        end += frame.length;
        whole += 1;
      }
      expect(payloads).toHaveLength(whole);
      expect(consumedBytes).toBe(end);
      expect(damage).toBeUndefined();
    }),
  );
});

test("a changed byte in front of whole records is damage, and exactly that record is lost", () => {
  assertCounted(
    fc.property(
      fc.array(record, { minLength: 2, maxLength: 5 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (records, at, change) => {
        const frames = records.map(encodeFrame);
        const bytes = Buffer.concat(frames);
        const last = frames.at(-1)?.length ?? 0;
        const position = at % (bytes.length - last);
        bytes[position] = (bytes[position] ?? 0) ^ change;
        const first = decodeFrames(bytes);
        expect(first.damage?.fromByte).toBe(first.consumedBytes);
        const rest = decodeFrames(bytes, first.damage?.toByte);
        expect(rest.damage).toBeUndefined();
        expect(first.payloads.length + rest.payloads.length).toBe(records.length - 1);
      },
    ),
  );
});

test("zeros at the end, as a crash leaves them, are a torn tail", () => {
  const bytes = Buffer.concat([encodeFrame({ a: 1 }), new Uint8Array(64)]);
  const { payloads, damage } = decodeFrames(bytes);
  expect(payloads).toHaveLength(1);
  expect(damage).toBeUndefined();
});

test("a header gives its format; torn and foreign ones are told apart", () => {
  const header = encodeJournalHeader(7);
  expect(header).toHaveLength(JOURNAL_HEADER_BYTES);
  expect(decodeJournalHeader(header)).toBe(7);
  expect(decodeJournalHeader(header.subarray(0, 6))).toBe("torn");
  expect(decodeJournalHeader(new Uint8Array(0))).toBe("torn");
  expect(decodeJournalHeader(new TextEncoder().encode("AAHJ\0\0\0\0"))).toBe("torn");
  expect(decodeJournalHeader(new Uint8Array(100))).toBe("torn");
  expect(decodeJournalHeader(new TextEncoder().encode("AAxx"))).toBe("foreign");
});

test("a record longer than a reader accepts is never written", () => {
  expect(() => encodeFrame({ detail: "x".repeat(1024 * 1024) })).toThrow(RangeError);
});
