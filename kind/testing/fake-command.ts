import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { z } from "zod";

const invocation = z.strictObject({
  command: z.string(),
  argv: z.array(z.string()),
  input: z.string(),
  /** The variables that begin with KIND_. */
  environment: z.record(z.string(), z.string()),
});

/** The arguments and the environment of one call of a fake command. */
type Invocation = z.infer<typeof invocation>;

export interface FakeCommands extends AsyncDisposable {
  /** Returns the calls in the order in which they started. */
  invocations(): Promise<Invocation[]>;
}

/**
 * Puts executables of these names first on the PATH of this process. Each records how it was called
 * and then runs the given JavaScript, which finds `argv` and may end the process in any way (by
 * default with exit code 0).
 */
export async function fakeCommands(
  scripts: Readonly<Record<string, string>>,
): Promise<FakeCommands> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-fake-"));
  const record = join(directory, "invocations.ndjson");
  const bin = join(directory, "bin");
  await mkdir(bin);
  for (const [name, script] of Object.entries(scripts)) {
    const path = join(bin, name);
    await writeFile(path, executable(name, script, record));
    await chmod(path, 0o755);
  }
  const { PATH: before = "" } = process.env;
  process.env["PATH"] = `${bin}${delimiter}${before}`;
  return {
    invocations: async () => {
      const text = await readFile(record, "utf8").catch(() => "");
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => invocation.parse(JSON.parse(line)));
    },
    [Symbol.asyncDispose]: async () => {
      process.env["PATH"] = before;
      await rm(directory, { recursive: true });
    },
  };
}

function executable(command: string, script: string, record: string): string {
  return `#!${process.execPath}
const fs = require("node:fs");
const argv = process.argv.slice(2);
const input = fs.readFileSync(0, "utf8");
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("KIND_")));
const called = { command: ${JSON.stringify(command)}, argv, input, environment };
fs.appendFileSync(${JSON.stringify(record)}, JSON.stringify(called) + "\\n");
${script}
`;
}
