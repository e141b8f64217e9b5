import type { V1Node } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { KindCluster } from "./cluster.ts";
import { fakeCommands } from "./testing/fake-command.ts";
import { contentName, loadAs, nodesWithout, workers } from "./node-images.ts";

/**
 * The fake engine answers as `image inspect` would, but only the part that is asked for by name.
 */
const ENGINE = "if (argv[1] === 'inspect') console.log(argv[3])";

test.each([
  ["localhost/app:local", /^localhost\/app:[0-9a-f]{12}$/],
  ["registry:5000/team/app", /^registry:5000\/team\/app:[0-9a-f]{12}$/],
  ["registry/app@sha256:ffff", /^registry\/app:[0-9a-f]{12}$/],
])("%s is named by its content", async (reference, name) => {
  await using _ = await fakeCommands({ docker: ENGINE });
  await expect(contentName("docker", reference)).resolves.toMatch(name);
});

async function named(engine: string): Promise<string> {
  await using _ = await fakeCommands({ docker: engine });
  return await contentName("docker", "localhost/app:local");
}

test("other content has another name, and a label changes nothing", async () => {
  const one = await named(ENGINE);
  await expect(named(`${ENGINE}; console.log("more")`)).resolves.not.toBe(one);
  await using commands = await fakeCommands({ docker: ENGINE });
  await contentName("docker", "localhost/app:local");
  const [inspected] = await commands.invocations();
  expect(inspected?.argv.join(" ")).toMatch(/Layers.*Env.*Entrypoint/);
  expect(inspected?.argv.join(" ")).not.toMatch(/Labels|\.Id|Created/);
});

test("the engine has the content's name only while the image is loaded, also when that fails", async () => {
  await using commands = await fakeCommands({ docker: ENGINE, kind: "process.exitCode = 1" });
  const cluster = new KindCluster({ name: "one", engine: "docker", kubeconfigFile: "/state/k" });
  const loading = loadAs("localhost/app:0", "localhost/app:local", { cluster, nodes: ["a"] });
  await expect(loading).rejects.toThrow("kind load docker-image");
  const said = (await commands.invocations()).map(({ command, argv }) =>
    [command, ...argv].join(" "),
  );
  expect(said).toEqual([
    "docker tag localhost/app:local localhost/app:0",
    "kind load docker-image localhost/app:0 --name one --nodes a",
    "docker image rm localhost/app:0",
  ]);
});

function node(name: string, images: string[], effect?: string): V1Node {
  return {
    metadata: { name },
    ...(effect !== undefined && { spec: { taints: [{ key: "k", effect }] } }),
    status: { images: [{ names: images }] },
  };
}

test("only nodes that lack the image receive it, and the control plane is no worker", () => {
  const nodes = [
    node("control-plane", [], "NoSchedule"),
    node("has-it", ["localhost/app:0", "localhost/app:1"]),
    node("has-another", ["localhost/app:0"]),
    { metadata: { name: "says-nothing" } },
  ];
  const lacking = ["control-plane", "has-another", "says-nothing"];
  expect(nodesWithout("localhost/app:1", nodes)).toEqual(lacking);
  expect(nodesWithout("localhost/app:1", workers(nodes))).toEqual(lacking.slice(1));
});
