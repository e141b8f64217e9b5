import { execFile } from "node:child_process";
import { access, lstat, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** The time limit: building librdkafka takes minutes. */
const INSTALL_MS = 20 * 60_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Plugins of kafkajs that need no compiler. */
const KAFKAJS_CODECS = ["kafkajs-snappy@1.1.0", "lz4-napi@2.10.0"];
const LIBRDKAFKA = "@confluentinc/kafka-javascript@1.10.1";
/** The Debian packages that its build needs. */
const BUILD_PACKAGES =
  "g++ make pkg-config libssl-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev libsasl2-dev".split(
    " ",
  );

/**
 * Returns a directory of this user that is kept from run to run. Throws when it belongs to somebody
 * else.
 */
export async function cacheDirectory(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const directory = join(tmpdir(), `kafka-consumer-clients-${uid}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== uid)) {
    throw new Error(`${directory} belongs to somebody else: remove it`);
  }
  return directory;
}

/** Installs the plugins and returns the directory to load them from. */
export async function installKafkajsCodecs(cache: string): Promise<string> {
  const directory = await packageDirectory(join(cache, "kafkajs"));
  const wanted = KAFKAJS_CODECS.map((one) =>
    join(directory, "node_modules", one.split("@")[0] ?? ""),
  );
  const present = await Promise.all(wanted.map((folder) => exists(folder)));
  if (present.every(Boolean)) return directory;
  await npm(directory, ["install", "--ignore-scripts", ...KAFKAJS_CODECS]);
  return directory;
}

export interface NativeClient {
  readonly directory: string;
  /** The Node for which it was built. */
  readonly node: string;
}

/**
 * Installs the bindings of librdkafka: the maker's build where it can be downloaded, or else one
 * made here with Debian's libraries, for a Node whose headers are on this machine.
 */
export async function installLibrdkafka(cache: string): Promise<NativeClient> {
  const directory = await packageDirectory(join(cache, "librdkafka"));
  const withHeaders = await nodeWithHeaders();
  const nodes = [process.execPath, ...(withHeaders === undefined ? [] : [withHeaders])];
  const ready = await firstThatLoads(directory, nodes);
  if (ready !== undefined) return { directory, node: ready };
  try {
    await npm(directory, ["install", LIBRDKAFKA]);
  } catch {
    if (withHeaders === undefined) throw new Error("no prebuilt binary, and no headers of Node");
    await build(directory, withHeaders);
  }
  const built = await firstThatLoads(directory, nodes);
  if (built === undefined) throw new Error("what was installed cannot be loaded");
  return { directory, node: built };
}

async function build(directory: string, node: string): Promise<void> {
  await aptInstall(BUILD_PACKAGES);
  const env = {
    PATH: `${dirname(node)}${delimiter}${process.env["PATH"] ?? ""}`,
    npm_config_nodedir: dirname(dirname(node)),
    CKJS_LINKING: "dynamic",
  };
  await npm(directory, ["install", "--ignore-scripts", LIBRDKAFKA], env);
  // The build does not wait for this step, so it runs first.
  const cwd = join(directory, "node_modules/@confluentinc/kafka-javascript");
  await execute(node, ["util/configure.js"], { cwd, env });
  await npm(directory, ["rebuild", "--build-from-source"], env);
}

async function firstThatLoads(
  directory: string,
  nodes: readonly string[],
): Promise<string | undefined> {
  for (const node of nodes) {
    const script = `require("@confluentinc/kafka-javascript")`;
    const loads = await run(node, ["-e", script], { cwd: directory }).then(
      () => true,
      () => false,
    );
    if (loads) return node;
  }
  return undefined;
}

/** Returns a Node on this machine for which native code can be built without a download. */
async function nodeWithHeaders(): Promise<string | undefined> {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "node"));
  for (const node of [process.execPath, ...onPath]) {
    const header = join(dirname(dirname(node)), "include/node/node.h");
    if ((await exists(node)) && (await exists(header))) return node;
  }
  return undefined;
}

/**
 * Installs Debian packages where this user may do so. Otherwise throws an error with the command to
 * run.
 */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const command = `apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(`not installed; as root: ${command}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  try {
    await execute("apt-get", install, { env });
  } catch {
    // The package lists of a new machine are empty or old.
    await execute("apt-get", ["update", "-qq"], { env });
    await execute("apt-get", install, { env });
  }
}

async function packageDirectory(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, "package.json");
  // If there were no package.json, npm would look for one in the parent directories.
  if (!(await exists(file))) await writeFile(file, '{ "private": true }\n');
  return directory;
}

function npm(
  directory: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const quiet = ["--no-audit", "--no-fund", "--no-package-lock"];
  return execute("npm", [...argv, "--prefix", directory, ...quiet], { cwd: directory, env });
}

/** Runs a command. Rejects with the last lines that it printed. */
async function execute(
  command: string,
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
): Promise<void> {
  try {
    await run(command, argv, {
      ...options,
      env: { ...process.env, ...options.env },
      timeout: INSTALL_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
  } catch (error) {
    const printed = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    const last = printed.trim().split("\n").slice(-2).join("; ");
    throw new Error(`${command} ${argv[0] ?? ""} failed: ${last}`, { cause: error });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
