// Readable for every version of Node: types are stripped by 24, and what is wrong with an older one must be
// said before its loader stumbles over the first .ts file. Ends the process when it is too old.
import { existsSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  const { npm_lifecycle_event: script = "e2e" } = process.env;
  const isThere = existsSync(new URL("../../node_modules/node/bin/node", import.meta.url));
  process.stderr.write(
    `node ${process.versions.node} at ${process.execPath} cannot run this: version 24 is needed.\n` +
      (isThere
        ? `It comes with the package \`node\`, which npm scripts use. Fix: npm run ${script}, or put node_modules/.bin first in PATH\n`
        : "It comes with the package `node`, whose install script did not run (npm ignored it).\n" +
          `Fix: npm rebuild node, then npm run ${script}\n`),
  );
  process.exit(4);
}
