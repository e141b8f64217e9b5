import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CODECS } from "./client.ts";
import type { Client, ClientConnection, ClientRecord, ConsumeTask, ProduceTask } from "./client.ts";

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const TASK_MS = 60_000;
/** Marks the end of a record in kcat's output. No header of the matrix contains it. */
const END = "\u0002\u0001\u0002\u0001";
const KEY_END = "|||";
const FORMAT = String.raw`%T %K %S\n%k%s%h\x02\x01\x02\x01`;

/**
 * Starts kcat (librdkafka) with its command line. One call writes one record, whose value is a
 * file. Settings are in a file too, because they hold the password. Rejects when there is no kcat.
 */
export async function startKcat(parent: string): Promise<Client> {
  const [, version = "", librdkafka = ""] =
    /Version ([\d.]+).*librdkafka ([\d.]+)/.exec(String(await kcat(["-V"]))) ?? [];
  return {
    name: "kcat",
    version: `${version}, librdkafka ${librdkafka}`,
    codecs: CODECS,
    isTextual: true,
    produce: (task) => inDirectory(parent, (directory) => produce(task, directory)),
    consume: (task) => inDirectory(parent, (directory) => consume(task, directory)),
  };
}

async function inDirectory<T>(parent: string, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(parent, "kcat-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function produce({ connection, topics, records }: ProduceTask, directory: string) {
  const settings = await settingsFile(connection, directory);
  for (const { topic, codec } of topics) {
    const to = ["-F", settings, "-P", "-t", topic, "-p", "0", "-z", codec];
    for (const { key, value, headers } of records) {
      const named = headers.flatMap(([name, bytes]) => ["-H", `${name}=${text(bytes)}`]);
      if (value === null) {
        // kcat skips empty files and empty lines, so this line ends behind its key.
        await kcat([...to, ...named, "-Z", "-K", KEY_END], `${text(key ?? "")}${KEY_END}\n`);
        continue;
      }
      const file = join(directory, "value");
      await writeFile(file, Buffer.from(value, "base64"));
      const keyed = key === null ? [] : ["-k", text(key)];
      await kcat([...to, ...keyed, ...named, file]);
    }
  }
}

async function consume({ connection, topics, count }: ConsumeTask, directory: string) {
  const settings = await settingsFile(connection, directory);
  const read: Record<string, ClientRecord[]> = {};
  for (const topic of topics) {
    const from = ["-F", settings, "-C", "-q", "-t", topic, "-p", "0", "-o", "beginning"];
    const output = await kcat(from.concat("-c", String(count), "-f", FORMAT));
    read[topic] = parse(output);
  }
  return read;
}

/**
 * Parses the output. It holds, for each record, the time and the lengths (-1: null), a line end,
 * key, value, headers as `name=value,...`, and END.
 */
function parse(output: Buffer): ClientRecord[] {
  const records: ClientRecord[] = [];
  for (let position = 0; position < output.length;) {
    const lineEnd = output.indexOf("\n", position);
    const [timestampMs = 0, keyBytes = 0, valueBytes = 0] = output
      .toString("latin1", position, lineEnd)
      .split(" ")
      .map(Number);
    const keyAt = lineEnd + 1;
    const valueAt = keyAt + Math.max(0, keyBytes);
    const headersAt = valueAt + Math.max(0, valueBytes);
    const endAt = output.indexOf(END, headersAt);
    if (lineEnd === -1 || endAt === -1) throw new Error("kcat printed half a record");
    records.push({
      key: keyBytes < 0 ? null : output.toString("base64", keyAt, valueAt),
      value: valueBytes < 0 ? null : output.toString("base64", valueAt, headersAt),
      // The headers cannot be separated when values hold commas, so they are compared as one text.
      headers: [["", output.toString("base64", headersAt, endAt)]],
      timestampMs,
    });
    position = endAt + END.length;
  }
  return records;
}

/** Returns what kcat prints for these headers: each value up to its first NUL. */
export function printedHeaders(headers: ClientRecord["headers"]): ClientRecord["headers"] {
  const parts = headers.map(([name, value]) => {
    const bytes = Buffer.from(value, "base64");
    const end = bytes.indexOf(0);
    return Buffer.concat([Buffer.from(`${name}=`), end === -1 ? bytes : bytes.subarray(0, end)]);
  });
  const joined = parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from(","), part]));
  return [["", Buffer.concat(joined).toString("base64")]];
}

async function settingsFile({ bootstrap, secure }: ClientConnection, directory: string) {
  const lines = [`bootstrap.servers=${bootstrap}`, "fetch.wait.max.ms=50"];
  if (secure !== undefined) {
    lines.push("security.protocol=SASL_SSL", `ssl.ca.location=${secure.ca}`);
    lines.push("sasl.mechanisms=SCRAM-SHA-512");
    lines.push(`sasl.username=${secure.username}`, `sasl.password=${secure.password}`);
  }
  const file = join(directory, "settings");
  await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
}

function text(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function kcat(argv: readonly string[], input = ""): Promise<Buffer> {
  const options = { maxBuffer: OUTPUT_BYTES_MAX, encoding: "buffer" as const, timeout: TASK_MS };
  return new Promise((resolve, reject) => {
    const child = execFile("kcat", argv, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`kcat: ${String(stderr).trim() || error.message}`, { cause: error }));
    });
    // kcat may end without having read all of its input.
    child.stdin?.on("error", () => undefined).end(input);
  });
}
