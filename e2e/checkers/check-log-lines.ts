import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repeatedKeys } from "#fixtures/json-keys.ts";

/**
 * Checks that no line of a log below `directory` holds a JSON key twice, since a log index would
 * keep one of the values or make a list of both. Returns one finding per file, with the first such
 * line. Lines that are not JSON are ignored.
 */
export async function checkLogLines(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const findings: string[] = [];
  for (const { name, parentPath } of entries.filter(isLog)) {
    const path = join(parentPath, name);
    const lines = (await readFile(path, "utf8")).split("\n");
    const found = lines.flatMap((line, index) => {
      const keys = isParsable(line) ? repeatedKeys(line) : [];
      return keys.length === 0 ? [] : [`${path}:${index + 1} holds the key ${keys.join()} twice`];
    });
    const more = found.length > 1 ? `, and so do ${found.length - 1} more lines` : "";
    if (found[0] !== undefined) findings.push(`${found[0]}${more}`);
  }
  return findings;
}

function isLog(entry: { readonly name: string; isFile(): boolean }): boolean {
  return entry.isFile() && /\.(?:log(?:\.\d+)?|ndjson)$/.test(entry.name);
}

function isParsable(line: string): boolean {
  if (!line.startsWith("{")) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
