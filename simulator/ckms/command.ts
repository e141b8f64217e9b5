import { readFile } from "node:fs/promises";
import type { Command } from "#simulator/process/command.ts";
import { UsageError, integerOption, textOption, textsOption } from "#simulator/process/command.ts";
import { remoteRoleChecker } from "./role-checker.ts";
import { startCkms } from "./server.ts";

/**
 * The command that runs the secret store as a process. Values come from files, because the
 * arguments of a process are visible to every user of a host. SIGHUP reads the files again: a value
 * that changed becomes the next version.
 */
export const command: Command = {
  name: "ckms",
  summary: "secret store over mTLS, guarded by an Athenz role",
  options: {
    host: { type: "string" },
    port: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    /** The authority of clients and of ZTS. */
    ca: { type: "string" },
    /** The URL of ZTS, such as https://127.0.0.1:4443/zts/v1. */
    zts: { type: "string" },
    "role-domain": { type: "string" },
    /** KEYGROUP/NAME=FILE */
    secret: { type: "string", multiple: true },
  },
  async start(values) {
    const secrets = textsOption(values, "secret").map((text) => parseSecret(text));
    const authorityPem = await readFile(textOption(values, "ca"), "utf8");
    const ckms = await startCkms({
      server: {
        certificatePem: await readFile(textOption(values, "cert"), "utf8"),
        privateKeyPem: await readFile(textOption(values, "key"), "utf8"),
      },
      authorityPem,
      roles: remoteRoleChecker({ ztsUrl: textOption(values, "zts"), authorityPem }),
      roleDomain: textOption(values, "role-domain", "sre.tooling"),
      host: textOption(values, "host", "127.0.0.1"),
      port: integerOption(values, "port", 0),
    });
    const putSecrets = async () => {
      for (const { keyGroup, name, file } of secrets) {
        const value = (await readFile(file, "utf8")).replace(/\n$/, "");
        if (ckms.secrets.find(keyGroup, name)?.value !== value) {
          await ckms.control.putSecret(keyGroup, name, value);
        }
      }
    };
    await putSecrets();
    const rotate = () => {
      putSecrets().catch((error: unknown) => process.stderr.write(`ckms: ${String(error)}\n`));
    };
    process.on("SIGHUP", rotate);
    return {
      listening: { url: ckms.url },
      [Symbol.asyncDispose]: async () => {
        process.off("SIGHUP", rotate);
        await ckms[Symbol.asyncDispose]();
      },
    };
  },
};

function parseSecret(text: string) {
  const [, keyGroup, name, file] = /^([^/=]+)\/([^/=]+)=(.+)$/.exec(text) ?? [];
  if (keyGroup === undefined || name === undefined || file === undefined) {
    throw new UsageError(`--secret must be KEYGROUP/NAME=FILE, got ${text}`);
  }
  return { keyGroup, name, file };
}
