import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Place } from "./tailed-file.ts";
import { isJsonObject } from "#consumer/json.ts";

/** The acknowledged position of each file, by the file's identity, across runs of the sidecar. */
export interface Positions {
  find(identity: string): Promise<Place | undefined>;
  /** Replaces everything. Writes only when something changed. */
  save(places: Readonly<Record<string, Place>>): Promise<void>;
}

/**
 * Opens the positions. A file that cannot be read counts as empty: lines are then sent again, and
 * none is lost.
 */
export function openPositions(directory: string): Positions {
  const path = join(directory, "positions.json");
  let text: string | undefined;
  const present = async () => (text ??= await readFile(path, "utf8").catch(() => "{}"));
  return {
    async find(identity) {
      return placeOf(parse(await present())[identity]);
    },
    async save(places) {
      const next = JSON.stringify(places);
      if (next === (await present())) return;
      await mkdir(directory, { recursive: true });
      await writeFile(`${path}.tmp`, next);
      await rename(`${path}.tmp`, path);
      text = next;
    },
  };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function placeOf(value: unknown): Place | undefined {
  if (!isJsonObject(value)) return undefined;
  const { position, head } = value;
  return typeof position === "number" && typeof head === "string" ? { position, head } : undefined;
}
