import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startVolume } from "./server.ts";
import type { RunningVolume } from "./server.ts";

let root: string;
let volume: RunningVolume;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "volume-"));
  await mkdir(join(root, "inside/claims"), { recursive: true });
  await writeFile(join(root, "inside/claims/b"), Buffer.from([0, 255, 10]));
  await writeFile(join(root, "inside/claims/a"), "");
  await writeFile(join(root, "outside"), "hidden");
  volume = await startVolume({ directory: join(root, "inside") });
});

afterAll(async () => {
  await volume[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

async function ask(what: string, path: string): Promise<Response> {
  return await fetch(`${volume.url}/${what}?path=${encodeURIComponent(path)}`);
}

test("returns the bytes of a file and the sorted names of a directory, as they are now", async () => {
  expect(new Uint8Array(await (await ask("file", "claims/b")).arrayBuffer())).toEqual(
    new Uint8Array([0, 255, 10]),
  );
  await expect((await ask("list", "")).json()).resolves.toEqual(["claims"]);
  await expect((await ask("list", "claims")).json()).resolves.toEqual(["a", "b"]);
  await rm(join(root, "inside/claims/a"));
  await expect((await ask("list", "claims")).json()).resolves.toEqual(["b"]);
});

test("returns every file below a directory at once, and none for a missing directory", async () => {
  await mkdir(join(root, "inside/tree/below"), { recursive: true });
  await writeFile(join(root, "inside/tree/one"), Buffer.from([0, 255]));
  await writeFile(join(root, "inside/tree/below/two"), "2");
  await expect((await ask("tree", "tree")).json()).resolves.toEqual({
    one: "AP8=",
    "below/two": "Mg==",
  });
  await expect((await ask("tree", "none")).json()).resolves.toEqual({});
  await expect((await ask("tree", "../inside/tree/below")).json()).resolves.toEqual({});
});

test.each([
  ["file", "claims/none"],
  ["file", "claims/b/below"],
  ["list", "none"],
  ["file", "../outside"],
  ["file", "claims/../../outside"],
])("answers 404 for a path that is missing or outside: %s %s", async (what, path) => {
  expect((await ask(what, path)).status).toBe(404);
});

test("a directory is neither a file nor missing", async () => {
  expect((await ask("file", "claims")).status).toBe(500);
});
