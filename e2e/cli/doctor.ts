import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { access, constants, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "#consumer/errors.ts";

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** The state that the check found. */
  readonly seen: string;
  /** Instructions for the user. Empty when there is nothing to do. */
  readonly fix: string;
  /** True when the local target runs without it. Defaults to false. */
  readonly isOptional?: boolean;
}

const run = promisify(execFile);

/** Runs every check, in the order in which problems should be fixed. A failed check is reported and never throws. */
export async function doctor(): Promise<Finding[]> {
  return [
    checkNode(process.versions.node),
    await checked("shell", checkShell, "install a POSIX shell as /bin/sh"),
    await checked(
      "temporary directory",
      checkTemporary,
      `make ${tmpdir()} writable with free space, or set TMPDIR to a directory that is`,
    ),
    await checked(
      "loopback",
      checkLoopback,
      "bring the loopback interface up (ip link set lo up) and allow binding to 127.0.0.1",
    ),
    await checked(
      "file handles",
      checkFileHandles,
      "raise the limit of open files: ulimit -n 4096",
    ),
    ...(process.platform === "linux"
      ? [await checked("/proc", checkProc, "mount procfs: mount -t proc proc /proc")]
      : []),
  ];
}

/** Checks the version of Node, which npm scripts take from the devDependency `node`. */
export function checkNode(version: string): Finding {
  const ok = version.split(".")[0] === "24";
  return {
    check: "node",
    ok,
    seen: `v${version} at ${process.execPath}`,
    fix: ok
      ? ""
      : "run npm rebuild node, since npm ignored the install script of the package `node`, then npm run e2e",
  };
}

export function reportLine(finding: Finding): string {
  const mark = finding.ok ? "ok  " : finding.isOptional === true ? "--  " : "FAIL";
  const fix = finding.fix === "" ? "" : `\n     fix: ${finding.fix}`;
  return `${mark} ${finding.check}: ${finding.seen}${fix}`;
}

async function checked(check: string, look: () => Promise<string>, fix: string): Promise<Finding> {
  try {
    return { check, ok: true, seen: await look(), fix: "" };
  } catch (error) {
    return { check, ok: false, seen: messageOf(error), fix };
  }
}

async function checkShell(): Promise<string> {
  const { stdout } = await run("/bin/sh", ["-c", 'trap : TERM; kill -TERM $$; echo "caught"']);
  if (stdout.trim() !== "caught") throw new Error(`/bin/sh printed ${JSON.stringify(stdout)}`);
  return "/bin/sh traps signals";
}

async function checkTemporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-doctor-"));
  try {
    const script = join(directory, "script");
    await writeFile(script, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    await access(script, constants.X_OK);
    // A mount with the option noexec passes access(2) and fails here.
    await run(script);
    return `${tmpdir()} takes files and runs scripts`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const PORTS = 32;

async function checkLoopback(): Promise<string> {
  const servers = await Promise.all(Array.from({ length: PORTS }, listen));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return `${PORTS} free ports on 127.0.0.1`;
}

function listen() {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<typeof server>();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => resolve(server));
  return promise;
}

async function checkFileHandles(): Promise<string> {
  const { stdout } = await run("/bin/sh", ["-c", "ulimit -n"]);
  const limit = stdout.trim();
  if (limit !== "unlimited" && Number(limit) < 1024) {
    throw new Error(`the limit is ${limit}, and at least 1024 are needed`);
  }
  return limit;
}

async function checkProc(): Promise<string> {
  if (!existsSync("/proc/self/status")) throw new Error("/proc/self/status is absent");
  const status = await readFile("/proc/self/status", "utf8");
  if (!status.includes("SigCgt:")) throw new Error("/proc/self/status has no SigCgt");
  return "/proc shows which signals a process catches";
}
