import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import type { Engine } from "./engine.ts";

/**
 * The two images. Podman puts what it builds into the registry `localhost`; docker takes any name.
 */
export const IMAGES = {
  consumer: { name: "localhost/kafka_consumer", dockerfile: "Dockerfile" },
  simulators: {
    name: "localhost/kafka-consumer-kit/simulators",
    dockerfile: "simulator/Dockerfile",
  },
} as const;

export type ImageKind = keyof typeof IMAGES;

/** The tag is not `latest`, which a kubelet would pull each time. */
const DEFAULT_TAG = "local";

/** The Dockerfiles name this base image. */
const DEFAULT_BASE_IMAGE = "node:24-bookworm-slim";

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));

export interface BuildOptions extends Pick<CommandOptions, "signal" | "onLine"> {
  readonly engine: Engine;
  /** The tag. Defaults to `local`. */
  readonly tag?: string | undefined;
  /** Node 24 on Debian, or an image like it. Defaults to the base image of the Dockerfiles. */
  readonly baseImage?: string | undefined;
}

export interface BuiltImage {
  /** The image's name with its tag. */
  readonly name: string;
  /** `sha256:...` */
  readonly id: string;
  readonly bytes: number;
  /** The part of `bytes` that does not belong to the base image. */
  readonly ownBytes: number;
  readonly baseImage: string;
}

/** Builds one image from this checkout, with nothing that needs BuildKit. Throws CommandError. */
export async function buildImage(kind: ImageKind, options: BuildOptions): Promise<BuiltImage> {
  const { engine, tag = DEFAULT_TAG, baseImage = DEFAULT_BASE_IMAGE, signal, onLine } = options;
  const { name, dockerfile } = IMAGES[kind];
  const reference = `${name}:${tag}`;
  // The build itself reports the id: a moment later, the name may stand for another build.
  const directory = await mkdtemp(join(tmpdir(), "kafka-consumer-build-"));
  try {
    const idFile = join(directory, "id");
    const argv = [
      "build",
      `--build-arg=BASE_IMAGE=${baseImage}`,
      `--build-arg=REVISION=${await revision()}`,
      `--file=${join(REPOSITORY, dockerfile)}`,
      `--iidfile=${idFile}`,
      `--tag=${reference}`,
      REPOSITORY,
    ];
    await runCommand(engine, argv, { signal, ...(onLine && { onLine }) });
    const [built, base] = await Promise.all([
      inspectImage(engine, (await readFile(idFile, "utf8")).trim()),
      inspectImage(engine, baseImage),
    ]);
    return { name: reference, ...built, ownBytes: built.bytes - base.bytes, baseImage };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Returns the id and size of an image. Throws CommandError when the engine has no such image. */
async function inspectImage(
  engine: Engine,
  reference: string,
): Promise<{ readonly id: string; readonly bytes: number }> {
  const format = "{{.Id}} {{.Size}}";
  const printed = await runCommand(engine, ["image", "inspect", "--format", format, reference]);
  const [id = "", bytes = ""] = printed.trim().split(" ");
  // Podman leaves out the algorithm.
  return { id: id.includes(":") ? id : `sha256:${id}`, bytes: Number(bytes) };
}

/**
 * Returns the commit of the checkout, with `-dirty` when a file differs from it, or `unknown`
 * outside a checkout.
 */
async function revision(): Promise<string> {
  try {
    const git = ["-C", REPOSITORY];
    const commit = (await runCommand("git", [...git, "rev-parse", "HEAD"])).trim();
    const changes = await runCommand("git", [...git, "status", "--porcelain"]);
    return changes === "" ? commit : `${commit}-dirty`;
  } catch {
    return "unknown";
  }
}
