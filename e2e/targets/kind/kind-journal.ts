import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Engine } from "#kind/engine.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

/** Of one namespace. */
interface JournalEntry {
  readonly namespace: string;
  readonly event: ContainerEvent;
}

/** Lines of the kubelet (from verbosity 3 on) and of containerd that tell what no API does. */
const TELLING =
  "Running preStop hook|PreStop hook|Killing container with a grace period|Stop container|Kill container";

/** Ends with its standard input, and so with whoever reads it. */
const FOLLOW = `journalctl --follow --lines=0 --output=short-unix --unit=kubelet --unit=containerd --grep='${TELLING}' & cat; kill $!`;

/** Reads what the journal of a node tells of containers. It names them when the kubelet begins to end them. */
export class JournalReader {
  readonly #containers = new Map<string, { namespace: string; pod: string; container: string }>();
  readonly #preStopped = new Set<string>();

  /** `line` as `journalctl --output=short-unix` prints it. null when it tells nothing. */
  read(line: string): JournalEntry | null {
    const [seconds = "", , unit = ""] = line.split(" ", 3);
    const atMs = Math.round(Number(seconds) * 1000);
    return unit.startsWith("kubelet")
      ? this.#readKubelet(line, atMs)
      : this.#readRuntime(line, atMs);
  }

  #readKubelet(line: string, atMs: number): JournalEntry | null {
    const [, namespace = "", pod = ""] = / pod="([^/"]+)\/([^"]+)"/.exec(line) ?? [];
    const [, container = ""] = / containerName="([^"]+)"/.exec(line) ?? [];
    const [, id] = / containerID="\w+:\/\/(\w+)"/.exec(line) ?? [];
    if (id === undefined) return null;
    this.#containers.set(id, { namespace, pod, container });
    if (line.includes('"Running preStop hook"')) {
      return this.#entry(id, { name: "pre-stop-started", atMs });
    }
    // One that is given up when the grace is over fails as well, when its container is killed.
    const ended = /"PreStop hook (completed|failed|not completed in grace period)"/.test(line);
    if (!ended || this.#preStopped.has(id)) return null;
    this.#preStopped.add(id);
    return this.#entry(id, { name: "pre-stop-ended", atMs });
  }

  #readRuntime(line: string, atMs: number): JournalEntry | null {
    const [, verb, id = "", signal] =
      /msg="(Stop|Kill) container \\"(\w+)\\"(?: with signal (\w+))?"/.exec(line) ?? [];
    if (verb === "Kill") return this.#entry(id, { name: "signal", signal: "SIGKILL", atMs });
    if (signal === "terminated")
      return this.#entry(id, { name: "signal", signal: "SIGTERM", atMs });
    return null;
  }

  #entry(id: string, what: Pick<ContainerEvent, "name" | "atMs" | "signal">): JournalEntry | null {
    const found = this.#containers.get(id);
    if (found === undefined) return null;
    const { namespace, pod, container } = found;
    return { namespace, event: { kind: "container", pod, container, ...what } };
  }
}

/** Follows the journal of a node that is a container of the engine, from now on. */
export function followJournal(
  engine: Engine,
  node: string,
  onEntry: (entry: JournalEntry) => void,
): AsyncDisposable {
  const argv = ["exec", "--interactive", node, "sh", "-c", FOLLOW];
  const child = spawn(engine, argv, { stdio: ["pipe", "pipe", "ignore"] });
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  // Without it some moments are missing; whoever needs them says so.
  child.on("error", () => {});
  const reader = new JournalReader();
  createInterface(child.stdout).on("line", (line) => {
    const entry = reader.read(line);
    if (entry !== null) onEntry(entry);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      // Its input ends with it. A node that is frozen would never answer.
      child.kill("SIGKILL");
      await closed;
    },
  };
}
