/**
 * `node late-answers.ts REQUESTS REPLIES DELAY_MS` writes one byte into REPLIES for each byte of
 * REQUESTS, after the delay.
 */
import { createReadStream, openSync, writeSync } from "node:fs";

const [requests = "", replies = "", delayMs = ""] = process.argv.slice(2);
const replyEnd = openSync(replies, "w");
createReadStream(requests).on("data", (chunk) => {
  setTimeout(() => writeSync(replyEnd, Buffer.alloc(chunk.length)), Number(delayMs));
});
