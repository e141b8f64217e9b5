/**
 * A process for tests that serves the metrics of the consumer and works a little. With the argument
 * `leaks` it keeps a part of what it takes: memory, on the heap and beside it, and a file.
 */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { createServer } from "node:http";
import { createMetrics } from "#consumer/adapters/metrics.ts";

const WORK_INTERVAL_MS = 20;
const WORK_BYTES = 256 * 1024;

const isLeaking = process.argv[2] === "leaks";
const kept: unknown[] = [];
const metrics = createMetrics();

const server = createServer((_request, response) => {
  void metrics.exposition().then(({ text }) => response.end(text));
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify(server.address())}\n`);
});

setInterval(() => void work(), WORK_INTERVAL_MS);

async function work(): Promise<void> {
  const numbers = Array.from({ length: WORK_BYTES / 8 }, (_, index) => index / 3);
  const buffer = Buffer.alloc(WORK_BYTES, 1);
  const file: FileHandle = await open("/dev/null");
  if (isLeaking) kept.push(numbers, buffer, file);
  else await file.close();
}
