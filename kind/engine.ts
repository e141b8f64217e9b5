import { runCommand } from "./command.ts";
import type { CommandOptions } from "./command.ts";

/** The name of a container engine's command, and of kind's provider. */
export type Engine = "docker" | "podman";

export const ENGINES: readonly Engine[] = ["docker", "podman"];

/** No container engine answers. It holds the CommandError of each engine. */
class NoEngineError extends AggregateError {
  override readonly name = "NoEngineError";
}

/** Returns the first engine that answers. Throws NoEngineError when none does. */
export async function findEngine(
  options: Pick<CommandOptions, "signal"> = {},
  engines: readonly Engine[] = ENGINES,
): Promise<Engine> {
  const errors: unknown[] = [];
  for (const engine of engines) {
    try {
      await runCommand(engine, ["info"], options);
      return engine;
    } catch (error) {
      errors.push(error);
    }
  }
  const seen = errors.map((error) => (error instanceof Error ? error.message : String(error)));
  throw new NoEngineError(errors, `no container engine answers:\n${seen.join("\n")}`);
}
