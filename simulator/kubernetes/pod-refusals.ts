import type {
  V1Container,
  V1PodSpec,
  V1Probe,
  V1ResourceRequirements,
} from "@kubernetes/client-node";
import { INT32_MAX, isDnsLabel, quantityOf } from "./grammar.ts";
import type { Refusal, RefusalOptions } from "./refusal.ts";

/** Returns what an API server would refuse in the pod, or the pod template, at `path`. */
export function podRefusals(
  spec: V1PodSpec | undefined,
  path: string,
  options: RefusalOptions = {},
): Refusal[] {
  const { volumes = [], securityContext } = spec ?? {};
  const found: Refusal[] = [];
  for (const [index, { name, emptyDir, persistentVolumeClaim }] of volumes.entries()) {
    const at = `${path}.volumes[${index}]`;
    if (!isDnsLabel(name)) {
      found.push({ path: `${at}.name`, rule: "must be a DNS label", value: name });
    }
    const size = emptyDir?.sizeLimit;
    if (size !== undefined) found.push(...quantityRefusals(size, `${at}.emptyDir.sizeLimit`));
    const claim = persistentVolumeClaim?.claimName;
    if (claim === "") {
      const rule = "must name a claim";
      found.push({ path: `${at}.persistentVolumeClaim.claimName`, rule, value: claim });
    }
  }
  found.push(
    ...repeated(
      volumes,
      ({ name }) => name,
      (index) => `${path}.volumes[${index}].name`,
    ),
  );
  const grace = spec?.terminationGracePeriodSeconds;
  if (grace !== undefined && !Number.isInteger(grace)) {
    found.push({
      path: `${path}.terminationGracePeriodSeconds`,
      rule: "must be a whole number",
      value: grace,
    });
  }
  for (const field of ["runAsUser", "runAsGroup", "fsGroup"] as const) {
    const id = securityContext?.[field];
    if (id === undefined || (Number.isInteger(id) && id >= 0 && id <= INT32_MAX)) continue;
    const rule = `must be a whole number of 0 to ${INT32_MAX}`;
    found.push({ path: `${path}.securityContext.${field}`, rule, value: id });
  }
  const known = new Set(volumes.map(({ name }) => name));
  const containers = (["initContainers", "containers"] as const).flatMap((list) =>
    (spec?.[list] ?? []).map((container, index) => ({
      container,
      at: `${path}.${list}[${index}]`,
    })),
  );
  found.push(
    ...repeated(
      containers,
      ({ container }) => container.name,
      (index) => `${containers[index]?.at}.name`,
    ),
  );
  for (const { container, at } of containers) {
    found.push(...containerRefusals(container, at, known, options));
  }
  return found;
}

function containerRefusals(
  container: V1Container,
  path: string,
  volumes: ReadonlySet<string>,
  options: RefusalOptions,
): Refusal[] {
  const { name, image, env = [], ports = [], volumeMounts = [] } = container;
  const found: Refusal[] = [];
  if (!isDnsLabel(name)) {
    found.push({ path: `${path}.name`, rule: "must be a DNS label", value: name });
  }
  if (image === undefined || image === "") {
    found.push({ path: `${path}.image`, rule: "must name an image", value: image });
  }
  for (const [index, variable] of env.entries()) {
    if (/^[ -<>-~]+$/.test(variable.name)) continue;
    const rule = "must be printable ASCII without =";
    found.push({ path: `${path}.env[${index}].name`, rule, value: variable.name });
  }
  for (const [index, { containerPort }] of ports.entries()) {
    found.push(...portRefusals(containerPort, `${path}.ports[${index}].containerPort`));
  }
  for (const [index, mount] of volumeMounts.entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    if (!volumes.has(mount.name)) {
      found.push({ path: `${at}.name`, rule: "must be the name of a volume", value: mount.name });
    }
    if (mount.mountPath === "") {
      found.push({ path: `${at}.mountPath`, rule: "must be a path", value: mount.mountPath });
    }
  }
  return [
    ...found,
    ...repeated(
      env,
      (variable) => variable.name,
      (index) => `${path}.env[${index}].name`,
    ),
    ...repeated(
      volumeMounts,
      (mount) => mount.mountPath,
      (index) => `${path}.volumeMounts[${index}].mountPath`,
    ),
    ...resourceRefusals(container.resources, `${path}.resources`),
    ...(["startupProbe", "livenessProbe", "readinessProbe"] as const).flatMap((probe) =>
      probeRefusals(container[probe], `${path}.${probe}`, options),
    ),
  ];
}

/** A request must not exceed its limit. */
function resourceRefusals(resources: V1ResourceRequirements | undefined, path: string): Refusal[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const found = Object.entries({ limits, requests }).flatMap(([list, quantities]) =>
    Object.entries(quantities).flatMap(([name, text]) =>
      quantityRefusals(text, `${path}.${list}[${name}]`),
    ),
  );
  for (const [name, text] of Object.entries(requests)) {
    const { [name]: limit } = limits;
    const asked = quantityOf(text);
    const allowed = limit === undefined ? undefined : quantityOf(limit);
    if (asked === undefined || allowed === undefined || asked <= allowed) continue;
    const rule = `must be at most the limit of ${limit}`;
    found.push({ path: `${path}.requests[${name}]`, rule, value: text });
  }
  return found;
}

function quantityRefusals(text: string, path: string): Refusal[] {
  const quantity = quantityOf(text);
  if (quantity !== undefined && quantity >= 0n) return [];
  const rule =
    quantity === undefined ? "must be a quantity such as 500m, 2Gi or 129e6" : "must be at least 0";
  return [{ path, rule, value: text }];
}

const PROBE_NUMBERS = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

function probeRefusals(
  probe: V1Probe | undefined,
  path: string,
  { fractions = false }: RefusalOptions,
): Refusal[] {
  if (probe === undefined) return [];
  const found: Refusal[] = [];
  for (const field of PROBE_NUMBERS) {
    const value = probe[field];
    const isWhole = Number.isInteger(value) || (fractions && field === "periodSeconds");
    if (value === undefined || (isWhole && value >= 0 && value <= INT32_MAX)) continue;
    found.push({ path: `${path}.${field}`, rule: "must be a whole number of at least 0", value });
  }
  const { successThreshold } = probe;
  if (!path.endsWith("readinessProbe") && successThreshold !== undefined && successThreshold > 1) {
    found.push({ path: `${path}.successThreshold`, rule: "must be 1", value: successThreshold });
  }
  const { httpGet } = probe;
  if (httpGet !== undefined && typeof httpGet.port === "number") {
    found.push(...portRefusals(httpGet.port, `${path}.httpGet.port`));
  }
  return found;
}

function portRefusals(port: number, path: string): Refusal[] {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return [];
  const value = Number.isNaN(port) ? "no number" : port;
  return [{ path, rule: "must be a whole number of 1 to 65535", value }];
}

/** Returns every entry whose key an earlier entry has. */
function repeated<Entry>(
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
  pathOf: (index: number) => string,
): Refusal[] {
  const seen = new Set<string>();
  return entries.flatMap((entry, index) => {
    const key = keyOf(entry);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: pathOf(index), rule: "must not be there twice", value: key }];
  });
}
