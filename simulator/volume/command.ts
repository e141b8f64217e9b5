import type { Command } from "#simulator/process/command.ts";
import { integerOption, textOption } from "#simulator/process/command.ts";
import { startVolume } from "./server.ts";

/** The command that serves a volume which only a pod can mount. */
export const command: Command = {
  name: "volume",
  summary: "shows the files of a directory over HTTP, read only",
  options: {
    directory: { type: "string" },
    host: { type: "string" },
    port: { type: "string" },
  },
  async start(values) {
    const volume = await startVolume({
      directory: textOption(values, "directory"),
      host: textOption(values, "host", "127.0.0.1"),
      port: integerOption(values, "port", 0),
    });
    return {
      listening: { url: volume.url },
      [Symbol.asyncDispose]: () => volume[Symbol.asyncDispose](),
    };
  },
};
