import type { KubernetesObject } from "@kubernetes/client-node";
import { refusalsOf, refusalText } from "#simulator/kubernetes/refusals.ts";
import { UnsupportedObjectError } from "#simulator/kubelet/errors.ts";
import { SUPPORTED_KINDS } from "./supported-objects.ts";
import type { SupportedKind, SupportedObject } from "./supported-objects.ts";

export interface ValidatedObjects {
  /** The objects, with defaults filled in. */
  readonly objects: readonly SupportedObject[];
  /** The fields that are accepted without effect, as `Kind/name path`. */
  readonly deviations: readonly string[];
}

/** Validates all objects. Throws UnsupportedObjectError with every fault of every object. */
export function validateObjects(objects: readonly KubernetesObject[]): ValidatedObjects {
  const validated: SupportedObject[] = [];
  const deviations: string[] = [];
  const faults: string[] = [];
  for (const object of objects) {
    const title = `${object.kind}/${object.metadata?.name}`;
    const kind = object.kind;
    if (!isSupported(kind)) {
      faults.push(
        `${title} kind: not implemented (one of ${Object.keys(SUPPORTED_KINDS).join(", ")})`,
      );
      continue;
    }
    const result = SUPPORTED_KINDS[kind].safeParse(object);
    if (!result.success) {
      faults.push(...result.error.issues.flatMap((issue) => describe(title, issue)));
      continue;
    }
    const refused = refusalsOf(object, { fractions: true });
    faults.push(...refused.map((refusal) => `${title} ${refusalText(refusal)}`));
    validated.push(result.data);
    deviations.push(...findNoted(result.data).map((path) => `${title} ${path}`));
  }
  if (faults.length > 0) {
    throw new UnsupportedObjectError(faults);
  }
  return { objects: validated, deviations };
}

function isSupported(kind: string | undefined): kind is SupportedKind {
  return kind !== undefined && Object.hasOwn(SUPPORTED_KINDS, kind);
}

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function describe(title: string, issue: Issue): string[] {
  if (issue.code === "unrecognized_keys" && issue.keys !== undefined) {
    return issue.keys.map((key) => `${title} ${formatPath([...issue.path, key])}: not implemented`);
  }
  return [`${title} ${formatPath(issue.path)}: ${issue.message}`];
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`,
    )
    .join("");
}

/** The names of the fields that supported-objects.ts accepts unread. */
const NOTED_FIELDS = new Set([
  "affinity",
  "automountServiceAccountToken",
  "dnsPolicy",
  "enableServiceLinks",
  "imagePullPolicy",
  "imagePullSecrets",
  "medium",
  "nodeSelector",
  "priorityClassName",
  "progressDeadlineSeconds",
  "readOnly",
  "resources",
  "revisionHistoryLimit",
  "securityContext",
  "sizeLimit",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "tolerations",
  "topologySpreadConstraints",
]);

function findNoted(value: unknown, path: readonly PropertyKey[] = []): string[] {
  if (typeof value !== "object" || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, member]) => {
    const memberPath = [...path, Array.isArray(value) ? Number(key) : key];
    if (member === undefined || member === false) {
      return [];
    }
    // Labels and data are free text that may use the same words.
    if (FREE_MAPS.has(key)) {
      return [];
    }
    return NOTED_FIELDS.has(key) ? [formatPath(memberPath)] : findNoted(member, memberPath);
  });
}

const FREE_MAPS = new Set(["labels", "annotations", "data", "binaryData", "matchLabels"]);
