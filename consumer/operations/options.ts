import { ConsumerError } from "#consumer/errors.ts";

/** Reads a whole number of at least 1. Throws "usage". */
export function countOption(name: string, given: string | undefined, byDefault: number): number {
  if (given === undefined) return byDefault;
  const count = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  if (count < 1) throw new ConsumerError("usage", `--${name} must be a number from 1: ${given}`);
  return count;
}

/** Reads one of a fixed set of choices, or undefined when the option is not given. Throws "usage". */
export function choiceOption<Choice extends string>(
  name: string,
  given: string | undefined,
  choices: readonly Choice[],
): Choice | undefined {
  const choice = choices.find((one) => one === given);
  if (given !== undefined && choice === undefined) {
    throw new ConsumerError("usage", `--${name} must be one of ${choices.join(", ")}: ${given}`);
  }
  return choice;
}

/** Reads a text for the audit, one line of 1 to 500 characters. Throws "usage". */
export function textOption(name: string, given: string | undefined): string {
  if (given === undefined || !/^\P{Cc}{1,500}$/u.test(given) || given.trim() === "") {
    throw new ConsumerError("usage", `--${name} is required: one line of 1 to 500 characters`);
  }
  return given.trim();
}

/** Reads the whole key of an action. Throws "usage". */
export function actionKeyOption(given: string): string {
  if (!/^[0-9a-f]{64}$/.test(given)) {
    throw new ConsumerError("usage", `KEY must be 64 hex digits: ${given}`);
  }
  return given;
}

/** Reads the number of a partition. Throws "usage". */
export function partitionOption(given: string | undefined): number {
  if (given !== undefined && /^\d{1,9}$/.test(given)) return Number(given);
  throw new ConsumerError(
    "usage",
    `--partition is required: a number from 0, not ${given ?? "nothing"}`,
  );
}

/** Reads an offset and drops its leading zeros. Throws "usage". */
export function offsetOption(given: string | undefined): string {
  if (given !== undefined && /^\d{1,19}$/.test(given)) return String(BigInt(given));
  throw new ConsumerError(
    "usage",
    `--offset is required: a number from 0, not ${given ?? "nothing"}`,
  );
}
