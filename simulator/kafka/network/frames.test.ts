import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MalformedRequest } from "#simulator/kafka/wire/reader.ts";
import { Frames } from "./frames.ts";

const framed = (content: Uint8Array): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(content.length);
  return Buffer.concat([size, content]);
};

test("frames are read as they were written, however the stream is split", () => {
  const contents = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(contents, fc.infiniteStream(fc.integer({ min: 1, max: 17 })), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((content) => framed(content)));
      const frames = new Frames();
      const received: Buffer[] = [];
      for (let at = 0; at < stream.length;) {
        const length: number = cuts.next().value;
        received.push(...frames.push(stream.subarray(at, at + length), 100));
        at += length;
      }
      expect(received).toEqual(sent.map((content) => Buffer.from(content)));
      expect(frames.bufferedBytes).toBe(0);
    }),
  );
});

test.each([-1, 101, 0x7fffffff])("a size of %i is refused as soon as it has arrived", (size) => {
  const head = Buffer.alloc(4);
  head.writeInt32BE(size);
  const frames = new Frames();
  expect(frames.push(head.subarray(0, 3), 100)).toEqual([]);
  expect(() => frames.push(head.subarray(3), 100)).toThrow(MalformedRequest);
});

test("a chunk is freed once it was copied, and kept where a frame is a view of it", () => {
  const frames = new Frames();
  const head = Buffer.allocUnsafeSlow(6);
  head.writeInt32BE(9);
  expect(frames.push(head, 100)).toEqual([]);
  expect(head.buffer.detached).toBe(true);

  const pooled = Buffer.allocUnsafe(3);
  expect(frames.push(pooled, 100)).toEqual([]);
  expect(pooled.buffer.detached).toBe(false);

  const rest = Buffer.concat([Buffer.alloc(4), framed(Buffer.from("whole"))]);
  const received = Buffer.allocUnsafeSlow(rest.length);
  rest.copy(received);
  const [, whole] = frames.push(received, 100);
  expect(whole?.toString()).toBe("whole");
  expect(whole?.buffer).toBe(received.buffer);
});
