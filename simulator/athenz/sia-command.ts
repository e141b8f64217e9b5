import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Command } from "#simulator/process/command.ts";
import { requiredVariable, secondsVariable } from "#simulator/process/command.ts";
import { startSia } from "./sia.ts";

/**
 * The command that runs the identity sidecar as a process. Its environment alone configures it:
 * ZTS_URL, ZTS_CA (path or PEM), ATHENZ_DOMAIN, ATHENZ_SERVICE, ATHENZ_PROVIDER
 * [simulator.kubernetes], SIA_OUTPUT_DIR, SIA_INSTANCE_ID [POD_UID, or a random one],
 * SIA_ATTESTATION_FILE [none], SIA_DELAY_SECONDS [0], SIA_REFRESH_SECONDS [3600], SIA_RETRY_SECONDS
 * [1], SIA_ROTATION_GAP_SECONDS [0]. SIGHUP refreshes at once.
 */
export const command: Command = {
  name: "athenz-sia",
  summary: "identity sidecar: fetches a certificate, writes it, rotates it",
  options: {},
  async start(_values, env) {
    const { ZTS_CA: authority, SIA_ATTESTATION_FILE: attestationFile } = env;
    const sia = startSia({
      ztsUrl: requiredVariable(env, "ZTS_URL").replace(/\/+$/, ""),
      ztsAuthorityPem: authority === undefined ? undefined : await pemOf(authority),
      provider: env.ATHENZ_PROVIDER ?? "simulator.kubernetes",
      domain: requiredVariable(env, "ATHENZ_DOMAIN"),
      service: requiredVariable(env, "ATHENZ_SERVICE"),
      instanceId: env.SIA_INSTANCE_ID ?? env.POD_UID ?? randomUUID(),
      attestationData: attestationFile === undefined ? "" : await readFile(attestationFile, "utf8"),
      directory: requiredVariable(env, "SIA_OUTPUT_DIR"),
      delayMs: secondsVariable(env, "SIA_DELAY_SECONDS", 0),
      refreshMs: secondsVariable(env, "SIA_REFRESH_SECONDS", 3_600_000),
      retryMs: secondsVariable(env, "SIA_RETRY_SECONDS", 1000),
      rotationGapMs: secondsVariable(env, "SIA_ROTATION_GAP_SECONDS", 0),
      log: (event, fields) => {
        const line = { time: new Date().toISOString(), event, ...fields };
        process.stdout.write(`${JSON.stringify(line)}\n`);
      },
    });
    const refreshNow = () => sia.refreshNow();
    process.on("SIGHUP", refreshNow);
    return {
      listening: {},
      [Symbol.asyncDispose]: async () => {
        process.off("SIGHUP", refreshNow);
        await sia[Symbol.asyncDispose]();
      },
    };
  },
};

async function pemOf(pathOrPem: string): Promise<string> {
  return pathOrPem.includes("-----BEGIN") ? pathOrPem : await readFile(pathOrPem, "utf8");
}
