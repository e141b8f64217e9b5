import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Authority } from "#fixtures/certificates.ts";
import type { Command } from "#simulator/process/command.ts";
import { UsageError, integerOption, textOption, textsOption } from "#simulator/process/command.ts";
import { startAthenz } from "./server.ts";

/** The command that runs ZMS and ZTS as a process. */
export const command: Command = {
  name: "athenz",
  summary: "certificate authority, ZMS (roles) and ZTS (certificates) on one HTTPS port",
  options: {
    host: { type: "string" },
    port: { type: "string" },
    /** An additional DNS name for the server's certificate, such as that of a Service. */
    "dns-name": { type: "string", multiple: true },
    /** The lifetime of issued identities, in seconds. */
    lifetime: { type: "string" },
    /** `domain:role.name` or `domain:role.name=member,member`. The role is created at the start. */
    role: { type: "string", multiple: true },
    /** The directory that receives ca.cert.pem and the files of --issue. */
    directory: { type: "string" },
    /** NAME: writes NAME.cert.pem and NAME.key.pem for localhost, 127.0.0.1 and NAME. */
    issue: { type: "string", multiple: true },
  },
  async start(values) {
    const roles = textsOption(values, "role").map((text) => parseRole(text));
    const directory = textOption(values, "directory", "");
    const issue = textsOption(values, "issue");
    if (directory === "" && issue.length > 0) throw new UsageError("--issue needs --directory");
    const athenz = await startAthenz({
      host: textOption(values, "host", "127.0.0.1"),
      port: integerOption(values, "port", 0),
      dnsNames: textsOption(values, "dns-name"),
      lifetimeMs: integerOption(values, "lifetime", 3600) * 1000,
    });
    for (const { domain, role, members } of roles) {
      await athenz.control.putRole(domain, role, members);
    }
    if (directory !== "") await writeCertificates(athenz.authority, directory, issue);
    return {
      listening: { url: athenz.url, zms: athenz.zmsUrl, zts: athenz.ztsUrl },
      [Symbol.asyncDispose]: () => athenz[Symbol.asyncDispose](),
    };
  },
};

function parseRole(text: string) {
  const [, domain, role, members = ""] = /^([^:=]+):role\.([^=]+)(?:=(.*))?$/.exec(text) ?? [];
  if (domain === undefined || role === undefined) {
    throw new UsageError(`--role must be DOMAIN:role.NAME[=MEMBER,MEMBER], got ${text}`);
  }
  return { domain, role, members: members.split(",").filter((member) => member !== "") };
}

async function writeCertificates(
  authority: Authority,
  directory: string,
  names: readonly string[],
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "ca.cert.pem"), authority.certificatePem);
  for (const name of names) {
    const issued = await authority.issue({
      commonName: name,
      dnsNames: ["localhost", name],
      ipAddresses: ["127.0.0.1"],
    });
    await writeFile(join(directory, `${name}.cert.pem`), issued.certificatePem);
    await writeFile(join(directory, `${name}.key.pem`), issued.privateKeyPem, { mode: 0o600 });
  }
}
