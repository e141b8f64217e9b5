import type { V1Pod } from "@kubernetes/client-node";
import type { ContainerEvent, LogFile, Target, TargetEvent } from "#e2e/targets/target.ts";

/** The part of a target that triggers use, set by a test. */
export class FakeTarget implements Pick<Target, "subscribe" | "pods" | "lastSeen" | "logFiles"> {
  readonly listeners = new Set<(entry: TargetEvent | ContainerEvent) => void>();
  readonly present: V1Pod[] = [];
  readonly files: LogFile[] = [];
  /** The number of times that logs were looked for. */
  looks = 0;

  subscribe(listener: (entry: TargetEvent | ContainerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  emit(event: Pick<ContainerEvent, "name" | "pod"> & Partial<ContainerEvent>): void {
    for (const listener of this.listeners) listener({ kind: "container", atMs: 1, ...event });
  }

  async pods(): Promise<V1Pod[]> {
    return this.present;
  }

  lastSeen(name: string): V1Pod | undefined {
    return this.present.find(({ metadata }) => metadata?.name === name);
  }

  logFiles(): readonly LogFile[] {
    this.looks += 1;
    return this.files;
  }
}
