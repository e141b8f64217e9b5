// This file runs on every version of Node. Only Node 24 strips types, so an older version must be reported before its
// loader fails at the first .ts file. The process ends when Node is too old.
import { existsSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  const { npm_lifecycle_event: script = "e2e" } = process.env;
  const isThere = existsSync(new URL("../../node_modules/node/bin/node", import.meta.url));
  process.stderr.write(
    `node ${process.versions.node} at ${process.execPath} cannot run this: version 24 is needed.\n` +
      (isThere
        ? "It comes with the package `node`, which npm scripts use. " +
          `Fix: npm run ${script}, or put node_modules/.bin first in PATH\n`
        : "It comes with the package `node`, whose install script did not run (npm ignored it).\n" +
          `Fix: npm rebuild node, then npm run ${script}\n`),
  );
  process.exit(4);
}
