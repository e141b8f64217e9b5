import { ApiException, KubernetesObjectApi, PatchStrategy } from "@kubernetes/client-node";
import type { KubeConfig, KubernetesObject } from "@kubernetes/client-node";

export interface ApplyOptions {
  /** The owner of the applied fields, as `kubectl get --show-managed-fields` shows it. */
  readonly fieldManager: string;
  /** The API server checks the objects and keeps nothing. Defaults to false. */
  readonly dryRun?: boolean;
  /** Called for each accepted object, in order. */
  readonly onApplied?: (object: KubernetesObject) => void;
}

/** The API server refused an object. */
class ApplyError extends Error {
  override readonly name = "ApplyError";
  /** The HTTP status. */
  readonly status: number;

  constructor(message: string, status: number, options: { cause: unknown }) {
    super(message, options);
    this.status = status;
  }
}

/**
 * Applies the objects on the server's side, in their order, and takes over fields that others own.
 * Throws ApplyError for the first object that is refused: the ones before it stay.
 */
export async function applyObjects(
  config: KubeConfig,
  objects: readonly KubernetesObject[],
  { fieldManager, dryRun = false, onApplied }: ApplyOptions,
): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(config);
  for (const object of objects) {
    try {
      await api.patch(
        object,
        undefined,
        dryRun ? "All" : undefined,
        fieldManager,
        true,
        PatchStrategy.ServerSideApply,
      );
    } catch (error) {
      if (!(error instanceof ApiException)) throw error;
      const message = `${nameOf(object)}: refused (${error.code}): ${reasonOf(error)}`;
      throw new ApplyError(message, error.code, { cause: error });
    }
    onApplied?.(object);
  }
}

/** Returns a name such as `Deployment kafka-consumer`. */
export function nameOf(object: KubernetesObject): string {
  return `${object.kind} ${object.metadata?.name}`;
}

/** Returns the message of the Status in the API server's answer. */
function reasonOf(error: ApiException<unknown>): string {
  const body: unknown = typeof error.body === "string" ? parsed(error.body) : error.body;
  if (typeof body === "object" && body !== null && "message" in body) return String(body.message);
  return String(error.body);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
