import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { ArmedRule } from "./pod-faults.ts";
import type { Hit, VolumeOperation, VolumePurpose, VolumeRuleRequest } from "./volume-rule.ts";

/** Groups of operations that fail together, so that a pod can exist beside the fault for as long as it lasts. */
const OPERATION_GROUPS = {
  writes: ["create", "write", "make-directory"],
  reads: ["open", "read", "stat"],
  listings: ["list"],
  syncs: ["sync", "sync-directory"],
  names: ["link", "rename", "unlink"],
} as const satisfies Readonly<Record<OperationGroup, readonly VolumeOperation[]>>;

export const OPERATION_GROUP_NAMES = ["writes", "reads", "listings", "syncs", "names"] as const;

type OperationGroup = (typeof OPERATION_GROUP_NAMES)[number];

/** What the history volume does to one pod. */
export type VolumeFault =
  /** ENOSPC: it takes no new name and no byte; names can still be removed and replaced. */
  | { readonly type: "full" }
  /** EROFS: nothing can be changed. */
  | { readonly type: "read-only" }
  | { readonly type: "eio"; readonly on: OperationGroup }
  /** ESTALE: the file server does not know what the client knows any more. */
  | { readonly type: "stale"; readonly on: OperationGroup }
  /** Every operation takes so much longer. */
  | { readonly type: "slow"; readonly delayMs: number }
  /**
   * link(2) is applied and its reply is lost: the client repeats it and sees EEXIST, or gives up and sees EIO. `times`: how many links;
   * default all.
   */
  | {
      readonly type: "reply-lost";
      readonly seen: "eexist" | "eio";
      readonly of: Extract<VolumePurpose, "claim" | "outcome">;
      readonly times?: number;
    };

/** Disposing mends the volume. */
export interface FailingVolume extends AsyncDisposable {
  /** What it did to operations until now, as `ENOSPC open temporary/...`. */
  readonly hits: readonly string[];
  mend(): Promise<void>;
}

/** From now on the history volume fails like this for every process of the pod, also for one that starts later. */
export async function failVolume(
  deployment: Pick<TestDeployment, "podFaults">,
  pod: string,
  fault: VolumeFault,
): Promise<FailingVolume> {
  const { what, ...request } = requestOf(fault);
  const rule: ArmedRule = await deployment.podFaults.arm({ pod, ...request });
  return {
    get hits() {
      return rule.hits.map((hit) => `${what} ${nameOf(hit)}`);
    },
    mend: () => rule.disarm(),
    [Symbol.asyncDispose]: () => rule.disarm(),
  };
}

/** A call as people read it, such as `link claims/ab/abc.1.claim`. */
export function nameOf({ syscall, path }: Pick<Hit, "syscall" | "path">): string {
  return `${syscall} ${path}`;
}

function requestOf(fault: VolumeFault): Omit<VolumeRuleRequest, "pod"> & { readonly what: string } {
  const { writes, names } = OPERATION_GROUPS;
  switch (fault.type) {
    case "full":
      return failing("ENOSPC", [...writes, "link"]);
    case "read-only":
      return failing("EROFS", [...writes, ...names, "set-attributes"]);
    case "eio":
      return failing("EIO", OPERATION_GROUPS[fault.on]);
    case "stale":
      return failing("ESTALE", OPERATION_GROUPS[fault.on]);
    case "slow": {
      const { delayMs } = fault;
      const operations = Object.values(OPERATION_GROUPS).flat();
      const action = { type: "delay", delayMs } as const;
      return { what: `${delayMs} ms`, operations, purposes: null, phase: "before", action };
    }
    case "reply-lost": {
      const { seen, of: purpose, times } = fault;
      const rule = failing(seen.toUpperCase(), ["link"]);
      return {
        ...rule,
        purposes: [purpose],
        phase: "after",
        ...(times !== undefined && { times }),
      };
    }
    default:
      throw new TypeError(`no fault of the volume: ${JSON.stringify(fault satisfies never)}`);
  }
}

function failing(code: string, operations: readonly VolumeOperation[]) {
  return {
    what: code,
    operations,
    purposes: null,
    phase: "before",
    action: { type: "fail", code },
  } as const;
}
