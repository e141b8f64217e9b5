// vitest and vite treat paths as URLs. Below a directory with one of these characters they find no tests, or none of
// the imports. The process ends in such a directory.
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const [character] = /[#%?]/.exec(root) ?? [];

if (character !== undefined) {
  process.stderr.write(
    `the tests cannot run in ${root}: vitest finds nothing below a path that holds ${character}\n` +
      "Fix: move or clone the checkout into a path without #, % and ?; " +
      "npm run e2e and the other scripts work here too\n",
  );
  process.exit(4);
}
