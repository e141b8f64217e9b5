import { spawnSync } from "node:child_process";

/** The shells that the scripts must run on, of those that this machine has: sh is dash on Debian, bash in POSIX mode on macOS. */
export const SHELLS = [
  { name: "sh", shell: ["sh"] },
  { name: "bash --posix", shell: ["bash", "--posix"] },
  { name: "busybox sh", shell: ["busybox", "sh"] },
].filter(({ shell: [command = "sh", ...words] }) => {
  return spawnSync(command, [...words, "-c", "exit 0"]).status === 0;
});
