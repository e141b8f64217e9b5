import { z } from "zod";
import {
  containerPath,
  count,
  hasOneKey,
  name,
  noted,
  portNumber,
  portReference,
} from "./supported-fields.ts";

/**
 * These are the fields of pods that the runtime implements, with Kubernetes' defaults. Everything
 * else is refused.
 */

const DOWNWARD_FIELDS =
  /^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|podIP))$/;

const execAction = z.strictObject({ command: z.array(z.string()).min(1) });
const httpGetAction = z.strictObject({
  path: z.string().default("/"),
  port: portReference,
  scheme: z.literal("HTTP").optional(),
  httpHeaders: z.array(z.strictObject({ name: z.string(), value: z.string() })).optional(),
});
const tcpAction = z.strictObject({ port: portReference });

const hook = z
  .strictObject({
    exec: execAction.optional(),
    httpGet: httpGetAction.optional(),
    sleep: z.strictObject({ seconds: count }).optional(),
  })
  .refine(hasOneKey, "exactly one handler");

const probe = z
  .strictObject({
    exec: execAction.optional(),
    httpGet: httpGetAction.optional(),
    tcpSocket: tcpAction.optional(),
    initialDelaySeconds: count.default(0),
    periodSeconds: z.number().positive().default(10),
    timeoutSeconds: z.int().min(1).default(1),
    successThreshold: z.int().min(1).default(1),
    failureThreshold: z.int().min(1).default(3),
    terminationGracePeriodSeconds: z.int().min(1).optional(),
  })
  .refine(
    ({ exec, httpGet, tcpSocket }) => hasOneKey({ exec, httpGet, tcpSocket }),
    "exactly one of exec, httpGet, tcpSocket",
  );
const restartingProbe = probe.refine((value) => value.successThreshold === 1, {
  message: "must be 1 for liveness and startup",
  path: ["successThreshold"],
});

const keyReference = z.strictObject({
  name,
  key: z.string(),
  optional: z.boolean().default(false),
});
const environmentVariable = z.strictObject({
  name: z.string().min(1),
  value: z.string().optional(),
  valueFrom: z
    .strictObject({
      fieldRef: z
        .strictObject({
          apiVersion: z.literal("v1").optional(),
          fieldPath: z.string().regex(DOWNWARD_FIELDS, "not implemented"),
        })
        .optional(),
      configMapKeyRef: keyReference.optional(),
    })
    .refine(hasOneKey, "exactly one source")
    .optional(),
});

const container = z.strictObject({
  name,
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  workingDir: containerPath.optional(),
  env: z.array(environmentVariable).default([]),
  envFrom: z
    .array(
      z.strictObject({
        prefix: z.string().optional(),
        configMapRef: z.strictObject({ name, optional: z.boolean().default(false) }),
      }),
    )
    .default([]),
  ports: z
    .array(
      z.strictObject({
        name: z.string().optional(),
        containerPort: portNumber,
        protocol: z.literal("TCP").default("TCP"),
      }),
    )
    .default([]),
  volumeMounts: z
    .array(
      z.strictObject({
        name,
        mountPath: containerPath,
        readOnly: noted,
      }),
    )
    .default([]),
  livenessProbe: restartingProbe.optional(),
  readinessProbe: probe.optional(),
  startupProbe: restartingProbe.optional(),
  lifecycle: z.strictObject({ preStop: hook.optional(), postStart: hook.optional() }).optional(),
  imagePullPolicy: noted,
  resources: noted,
  securityContext: noted,
  terminationMessagePath: noted,
  terminationMessagePolicy: noted,
});

const initContainer = container.extend({ restartPolicy: z.literal("Always").optional() });

const volume = z
  .strictObject({
    name,
    emptyDir: z.strictObject({ medium: noted, sizeLimit: noted }).optional(),
    configMap: z
      .strictObject({
        name,
        optional: z.boolean().default(false),
        defaultMode: z.int().min(0).max(0o777).default(0o644),
        items: z.array(z.strictObject({ key: z.string(), path: z.string() })).optional(),
      })
      .optional(),
    persistentVolumeClaim: z.strictObject({ claimName: name, readOnly: noted }).optional(),
  })
  .refine(
    ({ name: _name, ...sources }) => hasOneKey(sources),
    "exactly one of emptyDir, configMap, persistentVolumeClaim",
  );

export const podSpec = z
  .strictObject({
    containers: z.array(container).min(1),
    initContainers: z.array(initContainer).default([]),
    volumes: z.array(volume).default([]),
    restartPolicy: z.enum(["Always", "OnFailure", "Never"]).default("Always"),
    terminationGracePeriodSeconds: count.default(30),
    serviceAccountName: name.default("default"),
    affinity: noted,
    automountServiceAccountToken: noted,
    dnsPolicy: noted,
    enableServiceLinks: noted,
    imagePullSecrets: noted,
    nodeSelector: noted,
    priorityClassName: noted,
    securityContext: noted,
    tolerations: noted,
    topologySpreadConstraints: noted,
  })
  .superRefine((spec, context) => {
    for (const { path, message } of contradictions(spec)) {
      context.addIssue({ code: "custom", path, message });
    }
  });

export type PodSpec = z.infer<typeof podSpec>;
export type ContainerSpec = z.infer<typeof initContainer>;
export type VolumeSpec = z.infer<typeof volume>;
export type ProbeSpec = z.infer<typeof probe>;
export type HookSpec = z.infer<typeof hook>;
/** The common part of a Deployment's template and a Pod. */
export interface PodTemplate {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly spec: PodSpec;
}

interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
}

function* contradictions(spec: {
  readonly containers: readonly ContainerSpec[];
  readonly initContainers: readonly ContainerSpec[];
  readonly volumes: readonly { readonly name: string }[];
}): Generator<Contradiction> {
  const names = new Set<string>();
  const volumes = new Set(spec.volumes.map((entry) => entry.name));
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, entry] of spec[list].entries()) {
      const path = [list, index];
      if (names.has(entry.name)) {
        yield { path: [...path, "name"], message: `"${entry.name}" is taken` };
      }
      names.add(entry.name);
      const plainInit = list === "initContainers" && entry.restartPolicy === undefined;
      for (const field of [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
      ] as const) {
        if (plainInit && entry[field] !== undefined) {
          yield { path: [...path, field], message: "only for containers that keep running" };
        }
      }
      for (const { field, port } of namedPorts(entry)) {
        if (!entry.ports.some((declared) => declared.name === port)) {
          yield { path: [...path, ...field, "port"], message: `no port named "${port}"` };
        }
      }
      for (const [mountIndex, mount] of entry.volumeMounts.entries()) {
        const mountPath = [...path, "volumeMounts", mountIndex];
        if (!volumes.has(mount.name)) {
          yield { path: [...mountPath, "name"], message: `no volume "${mount.name}"` };
        }
        if (
          entry.volumeMounts.some(
            (other) => other !== mount && `${mount.mountPath}/`.startsWith(`${other.mountPath}/`),
          )
        ) {
          yield {
            path: [...mountPath, "mountPath"],
            message: "a mount at or below another mount is not implemented",
          };
        }
      }
    }
  }
}

function* namedPorts(entry: ContainerSpec): Generator<{ field: string[]; port: string }> {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = entry;
  const actions = [
    { field: ["livenessProbe", "httpGet"], action: livenessProbe?.httpGet },
    { field: ["livenessProbe", "tcpSocket"], action: livenessProbe?.tcpSocket },
    { field: ["readinessProbe", "httpGet"], action: readinessProbe?.httpGet },
    { field: ["readinessProbe", "tcpSocket"], action: readinessProbe?.tcpSocket },
    { field: ["startupProbe", "httpGet"], action: startupProbe?.httpGet },
    { field: ["startupProbe", "tcpSocket"], action: startupProbe?.tcpSocket },
    { field: ["lifecycle", "preStop", "httpGet"], action: lifecycle?.preStop?.httpGet },
    { field: ["lifecycle", "postStart", "httpGet"], action: lifecycle?.postStart?.httpGet },
  ];
  for (const { field, action } of actions) {
    if (typeof action?.port === "string") {
      yield { field, port: action.port };
    }
  }
}
