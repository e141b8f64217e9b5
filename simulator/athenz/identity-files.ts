import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const IDENTITY_FILES = {
  certificate: "service.cert.pem",
  key: "service.key.pem",
  authority: "ca.cert.pem",
} as const;

export interface IdentityPems {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
}

/**
 * Writes an identity into the directory that the application reads. Each file is written under
 * another name and renamed, so that a reader sees a whole old or a whole new file. The authority
 * comes first (it must not come after the pair that it signs), then the certificate, then the key:
 * between the last two renames the pair does not match, for `gapMs` (default 0), which makes that
 * moment visible.
 */
export async function writeIdentity(
  directory: string,
  identity: IdentityPems,
  gapMs = 0,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const place = (name: string, content: string, mode: number) => {
    const temporary = join(directory, `.${name}.${process.pid}.tmp`);
    return { name, content, mode, temporary };
  };
  const files = [
    place(IDENTITY_FILES.authority, identity.authorityPem, 0o644),
    place(IDENTITY_FILES.certificate, identity.certificatePem, 0o644),
    place(IDENTITY_FILES.key, identity.privateKeyPem, 0o600),
  ];
  try {
    for (const { temporary, content, mode } of files) {
      await writeFile(temporary, content, { mode, flush: true });
    }
    for (const { name, temporary } of files) {
      if (name === IDENTITY_FILES.key && gapMs > 0) await sleep(gapMs);
      await rename(temporary, join(directory, name));
    }
  } catch (error) {
    await Promise.all(files.map(({ temporary }) => rm(temporary, { force: true })));
    throw error;
  }
}
