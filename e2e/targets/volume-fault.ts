import { readFile } from "node:fs/promises";
import { APP } from "../pods.ts";
import type { Target } from "./target.ts";

/** What the volume says to whoever changes it: full, or read-only. */
type VolumeFaultCode = "ENOSPC" | "EROFS";

/** A fault of the history volume as one pod sees it. Disposing mends it. */
export interface VolumeFault extends AsyncDisposable {
  /** What was refused since the pod's first fault, as `CODE operation path`. */
  hits(): Promise<readonly string[]>;
  mend(): Promise<void>;
}

const CONTROL = "/tmp/volume-fault";

/** Environment of an app container whose volume `failVolume` can make fail. */
export async function volumeFaultEnvironment(): Promise<Readonly<Record<string, string>>> {
  const source = await readFile(new URL("volume-fault.mjs", import.meta.url), "utf8");
  // Carries its own text: no image and no volume has to hold the file.
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(source)}` };
}

/** From now on everything that would change the history volume fails in this pod. Its /tmp outlives the container. */
export async function failVolume(
  target: Target,
  pod: string,
  code: VolumeFaultCode,
): Promise<VolumeFault> {
  const run = async (...argv: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await target.exec(pod, APP, argv);
    if (exitCode !== 0) throw new Error(`${argv.join(" ")} in ${pod}: ${stderr}`);
    return stdout;
  };
  await run("touch", `${CONTROL}.${code}`, `${CONTROL}.hits`);
  const mend = async (): Promise<void> => void (await run("rm", "-f", `${CONTROL}.${code}`));
  return {
    hits: async () => (await run("cat", `${CONTROL}.hits`)).split("\n").slice(0, -1),
    mend,
    [Symbol.asyncDispose]: mend,
  };
}
