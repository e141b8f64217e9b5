import { APP } from "./pods.ts";
import type { Target } from "./target.ts";

const CONTROL = "/tmp/exhaust-memory";

/**
 * The source of a module that runs in the process of the consumer, since the kernel must end the consumer and no other
 * process. It allocates 16 MiB at a time and touches the memory. It removes the control file first, since /tmp outlives
 * the container.
 */
const SOURCE = `
import { unlinkSync } from "node:fs";
setInterval(() => {
  try {
    unlinkSync(${JSON.stringify(CONTROL)});
  } catch {
    return;
  }
  for (const taken = []; ; ) taken.push(Buffer.alloc(16 * 1024 * 1024, 1));
}, 50).unref();
`;

/** Returns the environment of an app container whose memory `exhaustMemory` can exhaust. */
export function memoryFaultEnvironment(): Readonly<Record<string, string>> {
  // The variable carries the source itself, so no image has to contain the file.
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SOURCE)}` };
}

/** Makes the consumer allocate memory until the limit of its container ends it. */
export async function exhaustMemory(target: Target, pod: string): Promise<void> {
  const { exitCode, stderr } = await target.exec(pod, APP, ["touch", CONTROL]);
  if (exitCode !== 0) throw new Error(`touch ${CONTROL} in ${pod}: ${stderr}`);
}
