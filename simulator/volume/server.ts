import { readdir, readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { fastify } from "fastify";
import type { FastifyReply } from "fastify";
import { readTree } from "./tree.ts";

export interface VolumeOptions {
  readonly directory: string;
  /** Defaults to 127.0.0.1. */
  readonly host?: string;
  /** Defaults to 0, which takes any free port. */
  readonly port?: number;
}

export interface RunningVolume extends AsyncDisposable {
  readonly url: string;
}

interface AskedPath {
  readonly Querystring: { readonly path?: string };
}

/**
 * Serves the files of a volume to clients that cannot mount it: GET /file?path= returns the bytes
 * of a file, GET /list?path= the sorted names in a directory as JSON, and GET /tree?path= every
 * file below a directory in base64, by its path from there. The answer is 404 for what does not
 * exist, except for /tree, which is then empty. Nothing is cached: each answer shows what the
 * volume holds now.
 */
export async function startVolume(options: VolumeOptions): Promise<RunningVolume> {
  const server = fastify({ forceCloseConnections: true });
  const inside = (path: string | undefined): string =>
    // Above the root, .. leads nowhere.
    join(options.directory, normalize(`/${path ?? ""}`));

  server.get<AskedPath>("/file", async ({ query }, reply) =>
    answer(reply, async () => await readFile(inside(query.path))),
  );
  server.get<AskedPath>("/list", async ({ query }, reply) =>
    answer(reply, async () => (await readdir(inside(query.path))).toSorted()),
  );
  server.get<AskedPath>("/tree", async ({ query }, reply) =>
    answer(reply, async () => {
      const files = await readTree(inside(query.path));
      return Object.fromEntries(
        [...files].map(([path, bytes]) => [path, bytes.toString("base64")]),
      );
    }),
  );

  const url = await server.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return { url, [Symbol.asyncDispose]: async () => await server.close() };
}

async function answer(reply: FastifyReply, read: () => Promise<unknown>): Promise<FastifyReply> {
  try {
    return await reply.send(await read());
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const isAbsent = code === "ENOENT" || code === "ENOTDIR";
    return await reply.code(isAbsent ? 404 : 500).send({ message: String(error) });
  }
}
