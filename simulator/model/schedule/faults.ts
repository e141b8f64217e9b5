import { HORIZON_DIRECTORY } from "#consumer/history/maintenance/horizon.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import type { How, Step } from "#simulator/model/steps.ts";

/** What a volume says when it fails as a whole. */
export const CODES = ["EIO", "ENOSPC", "EROFS", "ESTALE"] as const;

const READING: ReadonlySet<string> = new Set([
  "read",
  "readFrom",
  "modifiedMs",
  "list",
  "listEach",
]);

/** What fails on a full or read-only volume. */
export function isWrite({ operation }: Step): boolean {
  return operation === undefined || !READING.has(operation);
}

/** Of a process that dies in the middle. */
export function tornAppend({ bytes = 0 }: Step, draws: StepRandom): How {
  return { kind: "tear", code: "EIO", bytes: draws.below(bytes) };
}

/** One of the faults that can befall this step; undefined when there is none. `negative`: see "stale". */
export function faultOf(step: Step, negative: boolean, draws: StepRandom): How | undefined {
  const { kind, operation } = step;
  if (kind === "fetch" || kind === "notice") return undefined;
  if (kind !== "file") {
    const choices: How[] = [
      { kind: "fail", code: "" },
      { kind: "lose", code: "" },
    ];
    if (kind === "send") choices.push({ kind: "delay", code: "" });
    return draws.pick(choices);
  }
  const code = draws.pick(CODES) ?? "EIO";
  const choices: How[] = [{ kind: "fail", code }];
  switch (operation) {
    case "append":
      choices.push({ kind: "tear", code, bytes: draws.below(step.bytes ?? 0) });
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
  return draws.pick(choices);
}

/** For the counts. */
export function faultName(how: How, { kind, operation }: Step): string {
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
