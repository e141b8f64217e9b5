import type { StepRandom } from "#simulator/model/step-random.ts";
import type { StepResult, Step } from "#simulator/model/cluster/steps.ts";
import { HORIZON_DIRECTORY } from "#consumer/history/base/layout.ts";

/** The error codes of a volume that fails as a whole. */
export const CODES = ["EIO", "ENOSPC", "EROFS", "ESTALE"] as const;

const READING: ReadonlySet<string> = new Set([
  "read",
  "readFrom",
  "modifiedMs",
  "list",
  "listEach",
]);

/** Returns true for operations that fail on a full or read-only volume. */
export function isWrite({ operation }: Step): boolean {
  return operation === undefined || !READING.has(operation);
}

/** Returns an append that is cut off because its process dies during it. */
export function tornAppend({ bytes = 0 }: Step, random: StepRandom): StepResult {
  return { kind: "tear", code: "EIO", bytes: random.below(bytes) };
}

/**
 * Draws one of the faults that this step can have, or undefined when there is none. `negative`
 * means that the machine has looked the name up before and not found it, so that a stale answer is
 * possible.
 */
export function faultOf(step: Step, negative: boolean, random: StepRandom): StepResult | undefined {
  const { kind, operation } = step;
  if (kind === "fetch" || kind === "notice") return undefined;
  if (kind !== "file") {
    const choices: StepResult[] = [
      { kind: "fail", code: "" },
      { kind: "lose", code: "" },
    ];
    if (kind === "send") choices.push({ kind: "delay", code: "" });
    return random.pick(choices);
  }
  const code = random.pick(CODES) ?? "EIO";
  const choices: StepResult[] = [{ kind: "fail", code }];
  switch (operation) {
    case "append":
      choices.push({ kind: "tear", code, bytes: random.below(step.bytes ?? 0) });
      break;
    case "link":
      choices.push(
        { kind: "lose", code: "EEXIST" },
        { kind: "lose", code: "EIO" },
        { kind: "delay", code: "EIO" },
      );
      break;
    case "createExclusive":
      choices.push({ kind: "lose", code: "EEXIST" });
      break;
    case "rename":
    case "unlink":
    case "removeDirectory":
      choices.push({ kind: "lose", code: "ENOENT" }, { kind: "delay", code: "EIO" });
      break;
    case "read":
      if (negative) choices.push({ kind: "stale" }, { kind: "stale" });
      break;
    case "dataSync":
    case "syncDirectory":
    case "makeDirectory":
      choices.push({ kind: "lose", code });
      break;
    case "list":
      if (step.subject === HORIZON_DIRECTORY) choices.push({ kind: "stale" }, { kind: "stale" });
      break;
    case "close":
    case "readFrom":
    case "modifiedMs":
    case "listEach":
    case "isMount":
    case undefined:
  }
  return random.pick(choices);
}

/** Returns the name of a fault for the counts. */
export function faultName(how: StepResult, { kind, operation }: Step): string {
  const what = operation ?? kind;
  switch (how.kind) {
    case "fail":
      return kind === "file" ? how.code : `${what} fails`;
    case "lose":
      return kind === "file" ? `lost reply (${how.code})` : `${what}: lost reply`;
    case "tear":
      return "torn write";
    case "delay":
      return `late ${what}`;
    case "stale":
      return operation === "list" ? "stale listing" : "stale negative lookup";
    case "go":
    case "hold":
  }
  return how.kind;
}
