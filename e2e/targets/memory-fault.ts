import { APP } from "./pods.ts";
import type { Target } from "./target.ts";

const CONTROL = "/tmp/exhaust-memory";

/**
 * Runs in the consumer's process: the kernel ends what takes the memory, and that must be no other. It takes 16 MiB at a time and
 * touches it. What asked for it is removed first: /tmp outlives the container.
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

/** Environment of an app container whose memory `exhaustMemory` can exhaust. */
export function memoryFaultEnvironment(): Readonly<Record<string, string>> {
  // Carries its own text: no image has to hold the file.
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SOURCE)}` };
}

/** From now on the consumer takes memory until the limit of its container ends it. */
export async function exhaustMemory(target: Target, pod: string): Promise<void> {
  const { exitCode, stderr } = await target.exec(pod, APP, ["touch", CONTROL]);
  if (exitCode !== 0) throw new Error(`touch ${CONTROL} in ${pod}: ${stderr}`);
}
