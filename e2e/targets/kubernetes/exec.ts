import { Writable } from "node:stream";
import { Exec } from "@kubernetes/client-node";
import type { KubeConfig, V1Status } from "@kubernetes/client-node";
import type { ExecResult } from "#e2e/targets/target.ts";

/** Runs a command in a container and waits for its end. Rejects when the container does not run. */
export async function execInPod(
  config: KubeConfig,
  place: { readonly namespace: string; readonly pod: string; readonly container: string },
  argv: readonly string[],
): Promise<ExecResult> {
  const stdout = collector();
  const stderr = collector();
  const ended = Promise.withResolvers<V1Status>();
  const socket = await new Exec(config).exec(
    place.namespace,
    place.pod,
    place.container,
    [...argv],
    stdout.stream,
    stderr.stream,
    null,
    false,
    ended.resolve,
  );
  // The server sends the status last. A connection that ends without a status was cut.
  socket.addEventListener("close", () => {
    ended.reject(new Error(`exec in ${place.pod}: the connection ended without a status`));
  });
  const status = await ended.promise;
  socket.close();
  return { exitCode: exitCodeOf(status), stdout: stdout.text(), stderr: stderr.text() };
}

function exitCodeOf(status: V1Status): number {
  if (status.status === "Success") return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  if (cause?.message === undefined) throw new Error(`exec: ${status.message}`);
  return Number(cause.message);
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
