import { messageOf } from "#consumer/errors.ts";
import { runCommand } from "#kind/command.ts";
import { findEngine } from "#kind/engine.ts";
import type { Finding } from "./doctor.ts";

/** Checks the tools that only some targets and brokers need. Everything else runs without them. */
export async function clusterTools(): Promise<Finding[]> {
  return await Promise.all([
    tool(
      "container engine",
      async () => `${await findEngine()} answers`,
      "install and start Docker or Podman for --target kind, --broker kafka and --broker redpanda",
    ),
    tool(
      "kind",
      async () => (await runCommand("kind", ["version"])).trim(),
      "install kind for --target kind: https://kind.sigs.k8s.io",
    ),
    tool(
      "kubectl",
      async () => (await runCommand("kubectl", ["version", "--client"])).split("\n")[0] ?? "",
      "install kubectl, which scenario 35 uses to run the commands of the deployment guide",
    ),
  ]);
}

async function tool(check: string, look: () => Promise<string>, fix: string): Promise<Finding> {
  try {
    return { check, ok: true, seen: await look(), fix: "", isOptional: true };
  } catch (error) {
    const [seen = ""] = messageOf(error).split("\n");
    return { check, ok: false, seen, fix, isOptional: true };
  }
}
