import { spawnSync } from "node:child_process";

/**
 * The shells on which the scripts must run, as far as this machine has them: sh is dash on Debian,
 * and bash in POSIX mode on macOS.
 */
export const SHELLS = [
  { name: "sh", shell: ["sh"] },
  { name: "bash --posix", shell: ["bash", "--posix"] },
  { name: "busybox sh", shell: ["busybox", "sh"] },
].filter(({ shell: [command = "sh", ...words] }) => {
  return spawnSync(command, [...words, "-c", "exit 0"]).status === 0;
});
