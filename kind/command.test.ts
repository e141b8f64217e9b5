import { expect, test } from "vitest";
import { CommandError, runCommand } from "./command.ts";

async function errorOf(work: Promise<unknown>): Promise<CommandError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof CommandError) return error;
  throw new Error(`no CommandError: ${String(error)}`);
}

test("a command's output is returned, and every line of both streams is reported while it runs", async () => {
  const lines: string[] = [];
  const printed = await runCommand("sh", ["-c", "cat; echo told >&2"], {
    input: "given\n",
    onLine: (line) => lines.push(line),
  });
  expect(printed).toBe("given\n");
  expect(lines.toSorted()).toEqual(["given", "told"]);
});

test("a failure names the command, how it ended, and its last lines", async () => {
  const error = await errorOf(
    runCommand("sh", ["-c", "for n in $(seq 30); do echo line $n; done; echo why >&2; exit 3"]),
  );
  expect(error.exitCode).toBe(3);
  expect(error.message).toMatch(/^sh -c .*: exit code 3\n {2}line 12\n/s);
  expect(error.message).toMatch(/\n {2}why$/);
  expect(error.message).not.toContain("line 11");
});

test("a secret output appears in no error and no line", async () => {
  const lines: string[] = [];
  const error = await errorOf(
    runCommand("sh", ["-c", "cat; echo why >&2; exit 1"], {
      input: "hidden",
      secretOutput: true,
      onLine: (line) => lines.push(line),
    }),
  );
  expect(error.message).toMatch(/exit code 1\n {2}why$/);
  expect(JSON.stringify([error.cause, lines])).not.toContain("hidden");
});

test("an error names a missing command", async () => {
  const error = await errorOf(runCommand("no-such-command", ["a"]));
  expect(error.message).toBe(
    "no-such-command a: there is no no-such-command on the PATH: install it",
  );
});

test("an aborted signal ends the command", async () => {
  const abort = new AbortController();
  const work = runCommand("sh", ["-c", "echo started; exec sleep 60"], {
    signal: abort.signal,
    onLine: () => abort.abort(),
  });
  expect((await errorOf(work)).message).toMatch(/: interrupted\n {2}started$/);
});
