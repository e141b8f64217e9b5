import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Shorter values occur everywhere by accident. */
const LENGTH_MIN = 8;

/**
 * Searches every file below `directory` for the values, also in base64 and in the form that they
 * have inside JSON. Returns one finding per file and secret, with the name of the secret but never
 * its value.
 */
export async function checkSecrets(
  directory: string,
  secrets: ReadonlyMap<string, string>,
): Promise<string[]> {
  const needles = [...secrets].flatMap(([name, value]) =>
    spellings(value).map((spelling) => ({ name, spelling })),
  );
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const findings: string[] = [];
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path, "utf8");
    const found = new Set(
      needles.filter(({ spelling }) => content.includes(spelling)).map(({ name }) => name),
    );
    for (const name of found) findings.push(`${path} holds the secret ${name}`);
  }
  return findings;
}

function spellings(value: string): string[] {
  // A PEM block is recognised by the second line of its body, since the first is mostly the same
  // for every key.
  const lines = value
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length >= LENGTH_MIN && !line.startsWith("-----"));
  const whole = lines.length === 1 ? lines : lines.slice(1, 2);
  return whole.flatMap((line) => [
    line,
    JSON.stringify(line).slice(1, -1),
    Buffer.from(line).toString("base64").replaceAll("=", ""),
  ]);
}
