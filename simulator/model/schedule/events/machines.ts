/** The machines that pods can run on. */
export const MACHINES = ["a", "b", "c"] as const;

export function itself(name: string): string {
  return name;
}

export function machineOf({ name }: { readonly name: string }): string {
  return name;
}

/** Returns the machine of a process, which is named `machine.number`. */
export function machineOfProcess(who: string): string {
  return who.slice(0, 1);
}
