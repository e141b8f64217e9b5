import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Engine } from "#kind/engine.ts";
import type { ContainerEvent } from "#e2e/targets/target.ts";

/** An event of a container, and the namespace of its pod. */
interface JournalEntry {
  readonly namespace: string;
  readonly event: ContainerEvent;
}

/** Matches lines of the kubelet (at verbosity 3 or higher) and of containerd with information that no API offers. */
const TELLING =
  "Running preStop hook|PreStop hook|Killing container with a grace period|Stop container|Kill container";

/** Follows the journal until the standard input ends, and so no longer than its reader lives. */
const FOLLOW =
  "journalctl --follow --lines=0 --output=short-unix --unit=kubelet --unit=containerd " +
  `--grep='${TELLING}' & cat; kill $!`;

/**
 * Reads events of containers from the journal of a node. The journal gives the names of a container when the kubelet
 * begins to end it.
 */
export class JournalReader {
  readonly #containers = new Map<string, { namespace: string; pod: string; container: string }>();
  readonly #preStopped = new Set<string>();

  /** Reads a line in the format of `journalctl --output=short-unix`. Returns null when the line holds no event. */
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
    // A hook that is given up at the end of the grace period is reported as failed once more, when its container is
    // killed.
    const ended = /"PreStop hook (completed|failed|not completed in grace period)"/.test(line);
    if (!ended || this.#preStopped.has(id)) return null;
    this.#preStopped.add(id);
    return this.#entry(id, { name: "pre-stop-ended", atMs });
  }

  #readRuntime(line: string, atMs: number): JournalEntry | null {
    const [, verb, id = "", signal] =
      /msg="(Stop|Kill) container \\"(\w+)\\"(?: with signal (\w+))?"/.exec(line) ?? [];
    if (verb === "Kill") return this.#entry(id, { name: "signal", signal: "SIGKILL", atMs });
    if (signal === "terminated") {
      return this.#entry(id, { name: "signal", signal: "SIGTERM", atMs });
    }
    return null;
  }

  #entry(id: string, what: Pick<ContainerEvent, "name" | "atMs" | "signal">): JournalEntry | null {
    const found = this.#containers.get(id);
    if (found === undefined) return null;
    const { namespace, pod, container } = found;
    return { namespace, event: { kind: "container", pod, container, ...what } };
  }
}

/** Follows the journal of a node from now on. The node is a container of the engine. */
export function followJournal(
  engine: Engine,
  node: string,
  onEntry: (entry: JournalEntry) => void,
): AsyncDisposable {
  const argv = ["exec", "--interactive", node, "sh", "-c", FOLLOW];
  const child = spawn(engine, argv, { stdio: ["pipe", "pipe", "ignore"] });
  const closed = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  // Some events are missing without the journal. The scenarios that need them fail and name them.
  child.on("error", () => {});
  const reader = new JournalReader();
  createInterface(child.stdout).on("line", (line) => {
    const entry = reader.read(line);
    if (entry !== null) onEntry(entry);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      // The command in the node ends with its input. A frozen node would never answer to another signal.
      child.kill("SIGKILL");
      await closed;
    },
  };
}
