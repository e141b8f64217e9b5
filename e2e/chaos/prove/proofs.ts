import type { PlantedFault } from "./planted-faults.ts";

/**
 * Runs copies of the consumer. Both methods end early, or throw, when the signal of the run aborts.
 */
export interface Prover {
  /** Runs the unchanged copy. */
  control(tier: PlantedFault["tier"]): Promise<Control>;
  /** Runs a copy with the fault until something finds it. */
  find(fault: PlantedFault): Promise<Search>;
}

export interface Control {
  /** The invariants that broke; null when none did. */
  readonly broken: string | null;
  /** The amount that was run, such as `250 runs, 4.0 s`. */
  readonly played: string;
}

export interface Search {
  /** The checker that found the fault, and where; null when none did. */
  readonly found: string | null;
  /** The amount that was run, such as `3 schedules, 81.2 s`. */
  readonly played: string;
}

/** The result of one planted fault, or of the unchanged copy. */
export interface Proof {
  readonly name: string;
  /** `interrupted`: the proof was ended before it had a result. */
  readonly status: "passed" | "failed" | "interrupted";
  readonly text: string;
}

export interface ProveFaultsOptions {
  readonly faults: readonly PlantedFault[];
  readonly prover: Prover;
  /** Aborted by ^C: running proofs end, and no other begins. */
  readonly signal: AbortSignal;
  readonly onProof: (proof: Proof) => void;
}

/**
 * Proves that the unchanged copy breaks nothing, then that each planted fault is found. Returns the
 * proofs that were begun; those that are missing were not run. Throws what keeps a copy from being
 * run at all.
 */
export async function proveFaults(options: ProveFaultsOptions): Promise<Proof[]> {
  const { faults, prover, signal, onProof } = options;
  const proofs: Proof[] = [];
  for (const { name, prove } of tasksOf(faults, prover)) {
    if (signal.aborted) break;
    const proof = { name, ...(await whileWanted(prove, signal)) };
    proofs.push(proof);
    onProof(proof);
  }
  return proofs;
}

/** Returns the number of proofs for these faults. */
export function proofCount(faults: readonly PlantedFault[]): number {
  return faults.length + tiersOf(faults).length;
}

type Result = Omit<Proof, "name">;

interface Task {
  readonly name: string;
  readonly prove: () => Promise<Answer>;
}

function tasksOf(faults: readonly PlantedFault[], prover: Prover): Task[] {
  return [
    ...tiersOf(faults).map((tier) => ({
      name: `unchanged copy (${tier})`,
      prove: async () => ofControl(await prover.control(tier)),
    })),
    ...faults.map((fault) => ({
      name: `${fault.name} (${fault.tier})`,
      prove: async () => ofSearch(await prover.find(fault)),
    })),
  ];
}

function tiersOf(faults: readonly PlantedFault[]): PlantedFault["tier"][] {
  return [...new Set(faults.map(({ tier }) => tier))];
}

const INTERRUPTED: Result = { status: "interrupted", text: "interrupted" };

/** Runs a proof. One that was cut short is `interrupted`, unless it had its answer already. */
async function whileWanted(prove: Task["prove"], signal: AbortSignal): Promise<Result> {
  try {
    const { isFinal, ...result } = await prove();
    return signal.aborted && !isFinal ? INTERRUPTED : result;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    throw error;
  }
}

/** `isFinal` is true when more runs would not change the answer. */
type Answer = Result & { readonly isFinal: boolean };

function ofControl({ broken, played }: Control): Answer {
  return broken === null
    ? { status: "passed", text: `nothing broke in ${played}`, isFinal: false }
    : { status: "failed", text: `${broken} (${played})`, isFinal: true };
}

function ofSearch({ found, played }: Search): Answer {
  return found === null
    ? { status: "failed", text: `not found in ${played}`, isFinal: false }
    : { status: "passed", text: `found in ${played}, ${found}`, isFinal: true };
}
