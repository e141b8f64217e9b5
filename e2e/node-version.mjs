// Readable for every version of Node: types are stripped by 24, and what is wrong with an older one must be
// said before its loader stumbles over the first .ts file. Ends the process when it is too old.
const major = Number(process.versions.node.split(".")[0]);

if (major < 24) {
  const { npm_lifecycle_event: script = "e2e" } = process.env;
  process.stderr.write(
    `node ${process.versions.node} at ${process.execPath} cannot run this: version 24 is needed.\n` +
      "It comes with the package `node`, whose install script did not run (npm ignored it).\n" +
      `Fix: npm rebuild node, then npm run ${script}\n`,
  );
  process.exit(4);
}
