import { UsageError } from "#e2e/errors.ts";
import type { LoadPlan } from "./schedule.ts";

interface Limit {
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
  readonly default: number;
  /** One sentence for the documentation and for editors. */
  readonly title: string;
}

const share = (value: number, title: string): Limit => ({
  min: 0,
  max: 1,
  isWhole: false,
  default: value,
  title,
});

/**
 * The limits of each field of a load. The default keeps two pods busy for the longest schedule that
 * is drawn by default.
 */
export const LOAD_LIMITS: Readonly<Record<keyof LoadPlan, Limit>> = {
  incidentsPerSecond: {
    min: 0.1,
    max: 1000,
    isWhole: false,
    default: 20,
    title: "The number of records that are published per second.",
  },
  recordsMax: {
    min: 1,
    max: 1_000_000,
    isWhole: true,
    default: 1200,
    title: "The number of records after which the load ends, whatever the steps do.",
  },
  repeatShare: share(0.1, "The share of records that repeat an earlier one."),
  reopenShare: share(
    0.05,
    "The share of records that continue an earlier incident: an active one is resolved, a resolved one becomes " +
      "active again with a later start.",
  ),
  poisonShare: share(0.02, "The share of records that cannot be decoded."),
  idempotentShare: share(
    0.3,
    "The share of incidents whose rule has an action that is declared idempotent, beside one that is not.",
  ),
};

const LOAD_FIELDS = Object.keys(LOAD_LIMITS);

/** The shares of special kinds of records; the rest are new incidents. */
const RECORD_SHARES = ["repeatShare", "reopenShare", "poisonShare"] as const;

export const DEFAULT_LOAD: LoadPlan = planOf((field) => LOAD_LIMITS[field].default);

interface LoadFault {
  /** The wrong field; "" for the load as a whole. */
  readonly field: string;
  /** The rule and the value. */
  readonly message: string;
}

/** Returns everything that is wrong with the given fields. */
export function loadFaults(given: Readonly<Record<string, unknown>>): LoadFault[] {
  const faults: LoadFault[] = [];
  for (const [field, value] of Object.entries(given)) {
    const message = isLoadField(field)
      ? limitFault(LOAD_LIMITS[field], value)
      : `is unknown; known: ${LOAD_FIELDS.join(", ")}`;
    if (message !== undefined) faults.push({ field, message });
  }
  if (faults.length > 0) return faults;
  const sum = RECORD_SHARES.reduce(
    (total, field) => total + Number(given[field] ?? LOAD_LIMITS[field].default),
    0,
  );
  // Sums of decimal fractions are not exact.
  if (sum <= 1 + 1e-9) return [];
  const shares = RECORD_SHARES.join(" + ");
  return [{ field: "", message: `${shares} is ${Number(sum.toFixed(6))} and must be at most 1` }];
}

/**
 * Parses a text such as `incidentsPerSecond=50,poisonShare=0`. `option` is the option's name in
 * messages.
 */
export function parseLoadPairs(text: string, option: string): LoadPlan {
  const given: Record<string, unknown> = {};
  for (const pair of text.split(",")) {
    const [field = "", value = "", ...more] = pair.split("=").map((part) => part.trim());
    if (field === "" || value === "" || more.length > 0) {
      throw new UsageError(`${option} must be a file or FIELD=NUMBER,..., got ${pair || '""'}`);
    }
    if (Object.hasOwn(given, field)) throw new UsageError(`${option} ${field} is given twice`);
    given[field] = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
  }
  return loadPlan(given, option);
}

/** Adds defaults to the given fields. Throws UsageError with everything that is wrong. */
export function loadPlan(given: Readonly<Record<string, unknown>>, place: string): LoadPlan {
  const faults = loadFaults(given);
  if (faults.length > 0) {
    throw new UsageError(
      faults
        .map(({ field, message }) => [place, field, message].filter((part) => part).join(" "))
        .join("\n"),
    );
  }
  return planOf((field) => Number(given[field] ?? LOAD_LIMITS[field].default));
}

function planOf(value: (field: keyof LoadPlan) => number): LoadPlan {
  return {
    incidentsPerSecond: value("incidentsPerSecond"),
    recordsMax: value("recordsMax"),
    repeatShare: value("repeatShare"),
    reopenShare: value("reopenShare"),
    poisonShare: value("poisonShare"),
    idempotentShare: value("idempotentShare"),
  };
}

function isLoadField(field: string): field is keyof LoadPlan {
  return Object.hasOwn(LOAD_LIMITS, field);
}

function limitFault({ min, max, isWhole }: Limit, value: unknown): string | undefined {
  const fits =
    typeof value === "number" &&
    value >= min &&
    value <= max &&
    (!isWhole || Number.isInteger(value));
  if (fits) return undefined;
  const kind = isWhole ? "a whole number" : "a number";
  return `must be ${kind} from ${min} to ${max}, got ${JSON.stringify(value)}`;
}
