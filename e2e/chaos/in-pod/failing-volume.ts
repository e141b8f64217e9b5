import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import type { ArmedRule } from "./pod-faults.ts";
import type { Hit, VolumeOperation, VolumePurpose, VolumeRuleRequest } from "./volume-rule.ts";

/**
 * Groups of operations that fail together, so that a pod can exist beside the fault for as long as
 * it lasts.
 */
const OPERATION_GROUPS = {
  writes: ["create", "write", "make-directory"],
  reads: ["open", "read", "stat"],
  listings: ["list"],
  syncs: ["sync", "sync-directory"],
  names: ["link", "rename", "unlink"],
} as const satisfies Readonly<Record<OperationGroup, readonly VolumeOperation[]>>;

export const OPERATION_GROUP_NAMES = ["writes", "reads", "listings", "syncs", "names"] as const;

type OperationGroup = (typeof OPERATION_GROUP_NAMES)[number];

/** A failure of the history volume for one pod. */
export type VolumeFault =
  /** ENOSPC: the volume takes no new name and no byte; names can still be removed and replaced. */
  | { readonly type: "full" }
  /** EROFS: nothing can be changed. */
  | { readonly type: "read-only" }
  | { readonly type: "eio"; readonly on: OperationGroup }
  /** ESTALE: the file server does not know a handle of the client any more. */
  | { readonly type: "stale"; readonly on: OperationGroup }
  /** Every operation takes that much longer. */
  | { readonly type: "slow"; readonly delayMs: number }
  /**
   * link(2) is applied and its reply is lost: the client repeats it and sees EEXIST, or gives up
   * and sees EIO. `times` is the number of links and defaults to all.
   */
  | {
      readonly type: "reply-lost";
      readonly seen: "eexist" | "eio";
      readonly of: Extract<VolumePurpose, "claim" | "outcome">;
      readonly times?: number;
    };

/** A failing volume. Disposing ends the failure. */
export interface FailingVolume extends AsyncDisposable {
  /** The operations that it has affected so far, such as `ENOSPC open temporary/...`. */
  readonly hits: readonly string[];
  mend(): Promise<void>;
}

/** Makes the history volume fail for every process of the pod, also for one that starts later. */
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

/** Returns a call in a readable form, such as `link claims/ab/abc.1.claim`. */
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
