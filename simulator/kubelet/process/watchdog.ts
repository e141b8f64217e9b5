import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { MARKER_VARIABLE } from "./process-tree.ts";

/**
 * The script reads process group ids (`+ID`, `-ID`) until its standard input ends. If no `done`
 * came before, the runtime is dead: the script kills the groups, then on Linux whatever still
 * carries the marker, and then removes the directory.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r line; do
  case $line in
    done) exit 0 ;;
    +*) groups="$groups\${line#+} " ;;
    -*) id=\${line#-}; case $groups in *" $id "*) groups="\${groups%% $id *} \${groups#* $id }" ;; esac ;;
  esac
done
for id in $groups; do kill -s KILL -- "-$id" 2>/dev/null; done
round=0
while [ -d /proc/self ] && [ $round -lt 50 ]; do
  found=$(grep -lsF "$1" /proc/[0-9]*/environ 2>/dev/null)
  [ -n "$found" ] || break
  for file in $found; do pid=\${file#/proc/}; kill -s KILL "\${pid%/environ}" 2>/dev/null; done
  round=$((round + 1))
done
if [ -n "$2" ]; then rm -rf -- "$2"; fi
`;

/** Ends the containers when this process dies abruptly and can no longer end them itself. */
export interface Watchdog extends AsyncDisposable {
  guard(processGroup: number): void;
  release(processGroup: number): void;
}

/**
 * Starts one POSIX shell for each cluster, in a session of its own. Containers stay direct children
 * of the runtime.
 */
export async function startWatchdog(
  clusterId: string,
  directory: string | undefined,
): Promise<Watchdog> {
  const child = spawn(
    "/bin/sh",
    ["-c", SCRIPT, "watchdog", `${MARKER_VARIABLE}=${clusterId}/`, directory ?? ""],
    {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
    },
  );
  child.stdin.on("error", () => undefined);
  await once(child, "spawn");
  child.unref();
  if (child.stdin instanceof Socket) {
    child.stdin.unref();
  }
  return {
    guard: (processGroup) => {
      child.stdin.write(`+${processGroup}\n`);
    },
    release: (processGroup) => {
      child.stdin.write(`-${processGroup}\n`);
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.ref();
        const exited = once(child, "exit");
        child.stdin.end("done\n");
        await exited;
      }
    },
  };
}
