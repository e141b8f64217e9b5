import { crc32, gzipSync } from "node:zlib";

import { describe, expect, test } from "vitest";

import {
  batchOfBytes,
  CODEC,
  CONTROL,
  recordBatch,
  recordBytes,
  TRANSACTIONAL,
} from "#fixtures/record-batches.ts";
import type { BatchRecord } from "#fixtures/record-batches.ts";

import type { AbortedTransaction } from "./raw-records.ts";
import { readFetched } from "./reading.ts";
import type { VerifiedBatches } from "./reading.ts";

const PLACE = { topic: "t", partition: 0, highWatermark: 1_000_000n };
const LIMITS = { countMax: 1000, bytesMax: 1_000_000, recordBytesMax: 4_000_000 };

interface Given {
  readonly offset?: bigint;
  readonly aborted?: readonly AbortedTransaction[];
  readonly limits?: Partial<typeof LIMITS>;
  readonly highWatermark?: bigint;
  readonly verified?: VerifiedBatches;
}

async function read(batches: readonly Buffer[], given: Given = {}) {
  const {
    offset = 0n,
    aborted = [],
    limits,
    highWatermark = PLACE.highWatermark,
    verified = new Map(),
  } = given;
  const raw = { offset, bytes: Buffer.concat(batches), abortedTransactions: aborted };
  const reading = await readFetched(
    raw,
    { ...PLACE, highWatermark, verified },
    { ...LIMITS, ...limits },
  );
  const values = reading.records.map(({ offset: at, value }) => `${at}:${String(value)}`);
  return { ...reading, values };
}

const named = (...values: string[]): BatchRecord[] => values.map((value) => ({ value }));
const gzippedButTheEnd = (records: Buffer) => gzipSync(records.subarray(0, -1));
const gzipped = (baseOffset: bigint, records: readonly BatchRecord[]) =>
  recordBatch(records, { baseOffset, attributes: CODEC.gzip, compress: gzipSync });

describe("a record", () => {
  test("has its key, value, headers and time, whatever of them is null or negative", async () => {
    const headers = [
      ["a", "1"],
      ["b", null],
      ["a", "2"],
      ["__proto__", "3"],
    ] as const;
    const { records } = await read([
      recordBatch(
        [
          { key: "k", value: "v", headers, timestampDelta: 7 },
          { value: null, timestampDelta: -1001 },
        ],
        {
          baseOffset: 0n,
        },
      ),
    ]);
    const [first, second] = records;
    expect(first).toMatchObject({ topic: "t", partition: 0, offset: 0n, timestampMs: 1007 });
    expect(String(first?.key)).toBe("k");
    expect(
      Object.entries(first?.headers ?? {}).map(([name, value]) => [name, value && String(value)]),
    ).toEqual([
      ["a", "2"],
      ["b", undefined],
      ["__proto__", "3"],
    ]);
    expect(second).toMatchObject({
      offset: 1n,
      timestampMs: -1,
      key: null,
      value: null,
      headers: {},
    });
  });

  test("has the time of its batch, where the broker gave that", async () => {
    const attributes = 0b1000;
    const batch = recordBatch([{ value: "v", timestampDelta: 5 }], { baseOffset: 0n, attributes });
    expect((await read([batch])).records).toMatchObject([{ timestampMs: 1000 }]);
  });
});

describe("a reading", () => {
  test("begins at the position that was asked for, within a batch too, and passes what lies before", async () => {
    const batches = [
      recordBatch(named("a", "b"), { baseOffset: 3n }),
      recordBatch(named("c", "d"), { baseOffset: 5n }),
    ];
    expect(await read(batches, { offset: 6n })).toMatchObject({ values: ["6:d"], nextOffset: 7n });
    const { damage } = await read(batches, { offset: 7n });
    expect(damage?.detail).toContain("lies before the position");
  });

  test("leaves a last batch that is cut off for the next fetch, and stands still at a first one", async () => {
    const whole = recordBatch(named("a"), { baseOffset: 0n });
    const cut = recordBatch(named("b"), { baseOffset: 1n }).subarray(0, 40);
    expect(await read([whole, cut])).toMatchObject({ values: ["0:a"], nextOffset: 1n });
    expect(await read([cut], { offset: 1n })).toMatchObject({
      values: [],
      nextOffset: 1n,
      damage: { cause: "unreadable", detail: "it is cut off after 40 bytes" },
    });
  });

  test("gives nothing of a batch that is damaged further back, and all before it", async () => {
    const body = Buffer.concat([recordBytes({ value: "b" }), Buffer.from([12, 0])]);
    const broken = batchOfBytes(body, { baseOffset: 1n, recordCount: 2, lastOffsetDelta: 1 });
    const batches = [
      recordBatch(named("a"), { baseOffset: 0n }),
      broken,
      recordBatch(named("c"), { baseOffset: 3n }),
    ];
    expect(await read(batches)).toMatchObject({
      values: ["0:a"],
      nextOffset: 1n,
      damage: { endOffset: 3n },
    });
  });

  test.each([0, 1, 2, 5])(
    "leaves out aborted transactions and their ends, asked from %s on",
    async (offset) => {
      const ours = { producerId: 1n, attributes: TRANSACTIONAL };
      const end = { attributes: TRANSACTIONAL | CONTROL, lastOffsetDelta: 0 };
      const marker = [{ key: "\0\0\0\0", value: null }];
      const batches = [
        recordBatch(named("aborted"), { ...ours, baseOffset: 0n }),
        recordBatch(named("other"), { ...ours, producerId: 2n, baseOffset: 1n }),
        recordBatch(named("aborted"), { ...ours, baseOffset: 2n }),
        recordBatch(marker, { ...end, producerId: 1n, baseOffset: 3n }),
        recordBatch(named("committed"), { ...ours, baseOffset: 4n }),
        recordBatch(named("plain"), { producerId: 1n, baseOffset: 5n }),
        recordBatch(marker, { ...end, producerId: 1n, baseOffset: 6n }),
      ];
      const aborted = [{ producerId: 1n, firstOffset: 0n }];
      const { values, nextOffset } = await read(batches, { offset: BigInt(offset), aborted });
      expect(values).toEqual(
        ["1:other", "4:committed", "5:plain"].filter((value) => Number(value[0]) >= offset),
      );
      expect(nextOffset).toBe(7n);
    },
  );
});

describe("a compressed batch", () => {
  test("is read in pieces, whatever the length of a record", async () => {
    const values = [1, 300_000, 255_990, 7, 900_000, 3].map((length, index) =>
      String(index).repeat(length),
    );
    const reading = await read([gzipped(0n, named(...values))], {
      limits: { bytesMax: 4_000_000 },
    });
    expect(reading.records.map(({ value }) => String(value))).toEqual(values);
  });

  test("is given out up to the share, again and again, and nothing of it is held beyond", async () => {
    const values = Array.from({ length: 40 }, (_, index) => String(index % 10).repeat(100_000));
    const batch = gzipped(0n, named(...values));
    const seen: string[] = [];
    const verified: VerifiedBatches = new Map();
    for (let offset = 0n; offset < 40n;) {
      const reading = await read([batch], { offset, verified, limits: { bytesMax: 350_000 } });
      expect(reading.records).toHaveLength(offset === 39n ? 1 : 3);
      seen.push(...reading.records.map(({ value }) => String(value)));
      offset = reading.nextOffset;
    }
    expect(seen).toEqual(values);
  });

  test("that is damaged behind the share gives out nothing of it, whatever batch was whole before", async () => {
    const values = Array.from({ length: 40 }, () => "x".repeat(100_000));
    const verified: VerifiedBatches = new Map();
    const given = { verified, limits: { bytesMax: 350_000 } };
    expect((await read([gzipped(0n, named(...values))], given)).values).toHaveLength(3);
    const broken = recordBatch(named(...values), {
      baseOffset: 0n,
      attributes: CODEC.gzip,
      compress: gzippedButTheEnd,
    });
    expect(await read([broken], given)).toMatchObject({
      values: [],
      damage: { cause: "unreadable" },
    });
  });

  test("that cannot be read is not unpacked again as long as it stays what it is", async () => {
    const value = "x".repeat(900_000);
    const members = Array.from({ length: 300 }, (_, offsetDelta) =>
      gzipSync(recordBytes({ offsetDelta, value })),
    );
    const fields = { recordCount: 300, lastOffsetDelta: 299, attributes: CODEC.gzip };
    const bomb = (baseOffset: bigint) =>
      batchOfBytes(Buffer.concat(members), { ...fields, baseOffset });
    const verified: VerifiedBatches = new Map();
    const costOf = async (batch: Buffer, offset: bigint) => {
      const before = process.cpuUsage();
      const { damage } = await read([batch], { verified, offset });
      expect(damage).toMatchObject({ cause: "too-large" });
      return process.cpuUsage(before).user;
    };
    const first = await costOf(bomb(0n), 0n);
    expect(await costOf(bomb(0n), 0n)).toBeLessThan(first / 10);
    expect(await costOf(bomb(300n), 300n)).toBeGreaterThan(first / 10);
  });

  test("waits for its turn with a first record beyond the share, and stands still beyond all shares", async () => {
    const batch = gzipped(0n, named("x".repeat(2_000_000), "b"));
    await expect(read([batch])).rejects.toMatchObject({ name: "OverShare" });
    expect((await read([batch], { limits: { bytesMax: 4_000_000 } })).values).toHaveLength(2);
    expect(await read([gzipped(0n, named("x".repeat(5_000_000)))])).toMatchObject({
      values: [],
      damage: { cause: "too-large" },
    });
  });
});

const damaged = (baseOffset: bigint, lastOffsetDelta: number) => {
  const bytes = recordBatch(named("a"), { baseOffset, lastOffsetDelta });
  bytes.writeUInt32BE(0, 17);
  return bytes;
};

const endOf = async (batches: readonly Buffer[], given: Given = {}) =>
  (await read(batches, { offset: 10n, ...given })).damage?.endOffset;

const print = async (batch: Buffer) => (await read([batch], { offset: 10n })).damage?.fingerprint;

describe("what cannot be read ends", () => {
  test("where its header says", async () => {
    expect(await endOf([damaged(10n, 4)])).toBe(15n);
    expect(await endOf([damaged(8n, 4)])).toBe(13n);
  });

  test("before what follows it, and before the end of the partition, whatever its header says", async () => {
    const next = recordBatch(named("b"), { baseOffset: 12n });
    expect(await endOf([damaged(10n, 500), next])).toBe(12n);
    expect(await endOf([damaged(10n, 500)], { highWatermark: 14n })).toBe(14n);
  });

  test("after one position, where the header makes no sense", async () => {
    expect(await endOf([damaged(3n, 4)])).toBe(11n);
    expect(await endOf([damaged(10n, -7)])).toBe(11n);
    expect(
      await endOf([Buffer.from("these bytes are nothing that a broker ever wrote down")]),
    ).toBe(11n);
  });

  test("nowhere else than that of another batch at its position", async () => {
    expect(await print(damaged(10n, 4))).toBe(await print(damaged(10n, 4)));
    expect(await print(damaged(10n, 4))).not.toBe(await print(damaged(10n, 5)));
  });

  test("and a first offset beyond the end of the partition is damage too", async () => {
    const { damage, nextOffset } = await read(
      [recordBatch(named("a"), { baseOffset: 2n ** 40n })],
      { offset: 10n },
    );
    expect(nextOffset).toBe(10n);
    expect(damage).toMatchObject({
      endOffset: 11n,
      detail: expect.stringContaining("lies beyond the end"),
    });
  });
});

interface Legacy {
  readonly offset: bigint;
  readonly magic: 0 | 1;
  readonly value: Uint8Array;
  readonly attributes?: number;
  readonly timestampMs?: bigint;
}
const message = ({ offset, magic, value, attributes = 0, timestampMs = 5n }: Legacy): Buffer => {
  const time = Buffer.alloc(magic === 0 ? 0 : 8);
  if (magic === 1) time.writeBigInt64BE(timestampMs);
  const length = Buffer.alloc(4);
  length.writeInt32BE(value.length);
  const checked = Buffer.concat([
    Buffer.from([magic, attributes]),
    time,
    Buffer.from([255, 255, 255, 255]),
    length,
    value,
  ]);
  const head = Buffer.alloc(16);
  head.writeBigInt64BE(offset);
  head.writeInt32BE(checked.length + 4, 8);
  head.writeUInt32BE(crc32(checked), 12);
  return Buffer.concat([head, checked]);
};
const text = (value: string) => Buffer.from(value);

describe("messages of the formats before Kafka 0.11", () => {
  test("are read, also compressed, with the offsets that they mean", async () => {
    const inner = (magic: 0 | 1, first: bigint) =>
      gzipSync(
        Buffer.concat(
          ["c", "d"].map((value, index) =>
            message({ offset: first + BigInt(index), magic, value: text(value) }),
          ),
        ),
      );
    const { nextOffset, records, values } = await read([
      message({ offset: 0n, magic: 0, value: text("a") }),
      message({ offset: 1n, magic: 1, value: text("b") }),
      message({ offset: 3n, magic: 0, attributes: CODEC.gzip, value: inner(0, 2n) }),
      message({ offset: 5n, magic: 1, attributes: CODEC.gzip, value: inner(1, 0n) }),
      recordBatch(named("e"), { baseOffset: 6n }),
    ]);
    expect(values).toEqual(["0:a", "1:b", "2:c", "3:d", "4:c", "5:d", "6:e"]);
    expect(nextOffset).toBe(7n);
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual([-1, 5, -1, -1, 5, 5, 1000]);
  });

  test("stand still at a wrong checksum", async () => {
    const broken = message({ offset: 0n, magic: 1, value: text("a") });
    broken.writeUInt8(66, broken.length - 1);
    expect((await read([broken])).damage?.detail).toBe("the checksum of a message is wrong");
  });
});
