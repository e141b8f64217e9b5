await import("./cli/node-version.mjs");
await import("./cli/cli.ts");
