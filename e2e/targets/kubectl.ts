import { CommandError, runCommand } from "#kind/command.ts";

/** Runs kubectl with a kubeconfig of its own and gives what it printed. Throws CommandError. */
type Kubectl = (argv: readonly string[], kubeconfig: string) => Promise<string>;

/** null when there is none on the PATH: nobody who runs the kit needs it. */
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
