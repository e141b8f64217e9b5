import { CommandError, runCommand } from "#kind/command.ts";

/** Runs kubectl with the given kubeconfig and returns its output. Throws CommandError. */
type Kubectl = (argv: readonly string[], kubeconfig: string) => Promise<string>;

/** Returns kubectl, or null when it is not on the PATH: users of the kit do not need it. */
export async function findKubectl(): Promise<Kubectl | null> {
  try {
    await runCommand("kubectl", ["version", "--client"]);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === null) return null;
    throw error;
  }
  return (argv, kubeconfig) =>
    runCommand("kubectl", argv, { environment: { KUBECONFIG: kubeconfig } });
}
