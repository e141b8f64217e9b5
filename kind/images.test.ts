import { expect, test } from "vitest";
import { CommandError } from "./command.ts";
import { findEngine } from "./engine.ts";
import { fakeCommands } from "./testing/fake-command.ts";
import { buildImage } from "./images.ts";

const ENGINE = `
const idFile = argv.find((word) => word.startsWith("--iidfile="))?.slice("--iidfile=".length);
if (idFile !== undefined) fs.writeFileSync(idFile, "bbbb");
// The name stands for another image by now: another process has built it.
const sizes = { "base:1": "aaaa 100", bbbb: "bbbb 130" };
if (argv[0] === "image") console.log(sizes[argv.at(-1)] ?? "cccc 999");
`;

test("an image can be built with either engine and another base image", async () => {
  await using commands = await fakeCommands({ podman: ENGINE });
  const built = await buildImage("simulators", {
    engine: "podman",
    tag: "one",
    baseImage: "base:1",
  });
  expect(built).toEqual({
    name: "localhost/kafka-consumer-kit/simulators:one",
    id: "sha256:bbbb",
    bytes: 130,
    ownBytes: 30,
    baseImage: "base:1",
  });
  const [build] = await commands.invocations();
  expect(build?.argv).toEqual([
    "build",
    "--build-arg=BASE_IMAGE=base:1",
    expect.stringMatching(/^--build-arg=REVISION=(unknown|[0-9a-f]{40}(-dirty)?)$/),
    expect.stringMatching(/^--file=\/.*\/simulator\/Dockerfile$/),
    expect.stringMatching(/^--iidfile=\//),
    "--tag=localhost/kafka-consumer-kit/simulators:one",
    expect.any(String),
  ]);
});

test("a failed build names the command and the reason", async () => {
  await using _ = await fakeCommands({ docker: "console.error('no such base'); process.exit(7)" });
  const work = buildImage("consumer", { engine: "docker" });
  await expect(work).rejects.toThrow(CommandError);
  await expect(work).rejects.toThrow(/^docker build .*: exit code 7\n {2}no such base$/s);
});

test("the first engine that answers is taken, or the errors of all are reported", async () => {
  await using _ = await fakeCommands({
    docker: "console.error('is the daemon running?'); process.exit(1)",
    podman: "",
  });
  await expect(findEngine()).resolves.toBe("podman");
  await expect(findEngine({}, ["docker"])).rejects.toThrow(
    /no container engine answers:\ndocker info: exit code 1\n {2}is the daemon running\?/,
  );
});
