await import("./node-version.mjs");
await import("./cli.ts");
