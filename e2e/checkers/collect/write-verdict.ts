import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ExpectationError } from "#e2e/errors.ts";
import type { InvariantVerdict, RunHistory, Verdict } from "#e2e/checkers/checker.ts";
import { judgeHistory } from "#e2e/checkers/judge-history.ts";

/**
 * Judges the history and writes `history.ndjson` and `verdict.json` into the directory. `suffix` is
 * inserted before the extension, such as `-2`.
 */
export async function writeVerdict(
  history: RunHistory,
  directory: string,
  suffix = "",
): Promise<Verdict> {
  const verdict = judgeHistory(history);
  await mkdir(directory, { recursive: true });
  await pipeline(
    Readable.from(history.events.map((event) => `${JSON.stringify(event)}\n`)),
    createWriteStream(join(directory, `history${suffix}.ndjson`)),
  );
  await writeFile(
    join(directory, `verdict${suffix}.json`),
    `${JSON.stringify(verdict, null, 2)}\n`,
  );
  return verdict;
}

/**
 * Events are missing that should be there, or a checker failed. The exit code is 4, since nothing
 * is proved.
 */
class UnknownVerdictError extends Error {
  override readonly name = "UnknownVerdictError";
}

/**
 * Throws ExpectationError for broken invariants, else UnknownVerdictError for those that could not
 * be judged and should have been.
 */
export function expectVerdict({ verdicts }: Verdict): void {
  const broken = verdicts.filter(({ status }) => status === "broken");
  if (broken.length > 0) throw new ExpectationError(broken.map(findingsText).join("\n"));
  const unknown = verdicts.filter(({ status }) => status === "unknown");
  if (unknown.length === 0) return;
  throw new UnknownVerdictError(
    unknown.map(({ title, reason }) => `cannot be judged: ${title} ${reason ?? ""}`).join("\n"),
  );
}

const FINDINGS_SHOWN = 5;

function findingsText({ title, findings }: InvariantVerdict): string {
  const shown = findings.slice(0, FINDINGS_SHOWN).map(({ message }) => `\n  ${message}`);
  const more = findings.length - shown.length;
  return `broken: ${title}${shown.join("")}${more > 0 ? `\n  and ${more} more` : ""}`;
}
