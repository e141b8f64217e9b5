/**
 * A change of one value in the rendered objects, and what an API server (1.34) said about it in a
 * trial.
 */
export interface Case {
  readonly kind: "Deployment" | "PersistentVolumeClaim";
  /** Members and positions, separated by dots. */
  readonly path: string;
  readonly value: unknown;
  readonly verdict: "taken" | "refused";
}

const APP = "spec.template.spec.containers.0";
const LIMIT = `${APP}.resources.limits.memory`;

const TAKEN_LIMITS =
  "2Gi 1Gi 2G 2000M 2000000k 2Ti 1Pi 7Ei 1P 1E 2147483648 129e7 1.5e9 1.5E9 2e+9 2000000000000m 2000000000000000u " +
  "1.5Gi +2Gi 2.Gi 2147483648.5 9999999999999999999999 1e30 2e9 02Gi";
const REFUSED_LIMITS =
  "500K 2gi 2GB Gi -2Gi 1e 1e3.5 1e3k 0x10 2Kii 2GiB two 1,5Gi 1_000 . Infinity 500m 129e6 129M 1K --1 1.2.3";

/** The rendered component has a limit of 2Gi and requests 500m and 1Gi. */
export const CASES: readonly Case[] = [
  ...deployment("taken", LIMIT, TAKEN_LIMITS.split(" ")),
  ...deployment("taken", LIMIT, [" 2Gi ", 2_147_483_648]),
  ...deployment("refused", LIMIT, REFUSED_LIMITS.split(" ")),
  ...deployment("refused", LIMIT, ["2 Gi", ""]),
  ...deployment("taken", `${APP}.resources.requests.memory`, [
    "2Gi",
    "2097152Ki",
    "2147483648",
    "0",
    "100m",
    ".5Gi",
  ]),
  ...deployment("refused", `${APP}.resources.requests.memory`, [
    "3Gi",
    "2147483649",
    "2147483648.5",
    "2148M",
    "-1",
  ]),
  ...deployment("taken", `${APP}.resources.requests.cpu`, [
    "500m",
    "0.5",
    "1",
    1,
    ".5",
    "100u",
    "1n",
    "1e-1",
    "0",
  ]),
  ...deployment("refused", `${APP}.resources.requests.cpu`, ["-500m", "500M i", "1c", "1e-"]),
  ...deployment("taken", `${APP}.resources.limits`, [
    { cpu: "500m" },
    {},
    { cpu: "1", memory: "1Gi" },
  ]),
  ...deployment("refused", `${APP}.resources.limits`, [
    { cpu: "499m" },
    { cpu: "0" },
    { memory: "1023Mi" },
  ]),
  ...deployment("taken", "spec.strategy.rollingUpdate", [
    { maxSurge: 1, maxUnavailable: 0 },
    { maxSurge: 0, maxUnavailable: 1 },
    { maxSurge: "25%", maxUnavailable: "0%" },
    { maxSurge: "1%", maxUnavailable: 0 },
    { maxSurge: "200%", maxUnavailable: "100%" },
    { maxSurge: 0 },
    { maxUnavailable: 0 },
    { maxSurge: 2_147_483_647, maxUnavailable: 0 },
  ]),
  ...deployment("refused", "spec.strategy.rollingUpdate", [
    { maxSurge: 0, maxUnavailable: 0 },
    { maxSurge: "0%", maxUnavailable: 0 },
    { maxSurge: 0, maxUnavailable: "0%" },
    { maxSurge: "0%", maxUnavailable: "0%" },
    { maxSurge: -1, maxUnavailable: 0 },
    { maxSurge: 1, maxUnavailable: "101%" },
    { maxSurge: "1", maxUnavailable: 0 },
    { maxSurge: "1.5%", maxUnavailable: 0 },
    { maxSurge: "-1%", maxUnavailable: 0 },
    { maxSurge: "one", maxUnavailable: 0 },
    { maxSurge: 1.5, maxUnavailable: 0 },
    { maxSurge: 2_147_483_648, maxUnavailable: 0 },
  ]),
  ...deployment("taken", "spec.replicas", [0, 1, 2_147_483_647]),
  ...deployment("refused", "spec.replicas", [-1, 1.5, 2_147_483_648]),
  ...deployment("taken", "spec.progressDeadlineSeconds", [1, 2_147_483_647]),
  ...deployment("refused", "spec.progressDeadlineSeconds", [0, -1, 2_147_483_648]),
  ...deployment("taken", "spec.template.spec.terminationGracePeriodSeconds", [0, 90, -1]),
  ...deployment("refused", "spec.template.spec.terminationGracePeriodSeconds", [1.5, "90"]),
  ...probe("taken", [0, 1, 2_147_483_647]),
  ...probe("refused", [-1, 0.5, 2_147_483_648]),
  ...deployment("taken", `${APP}.startupProbe.successThreshold`, [0, 1]),
  ...deployment("refused", `${APP}.startupProbe.successThreshold`, [2]),
  ...deployment("taken", `${APP}.readinessProbe.successThreshold`, [2]),
  ...deployment("taken", `${APP}.readinessProbe.httpGet.port`, [1, 65_535]),
  ...deployment("refused", `${APP}.readinessProbe.httpGet.port`, [0, -1, 65_536, 80.5]),
  ...deployment("taken", `${APP}.ports.0.containerPort`, [1, 65_535]),
  ...deployment("refused", `${APP}.ports.0.containerPort`, [0, -1, 65_536, null]),
  ...deployment("refused", `${APP}.image`, [""]),
  ...deployment("taken", `${APP}.env.0.name`, ["NAME", "lower", "A.B", "1A"]),
  ...deployment("refused", `${APP}.env.0.name`, ["", "A=B", "É", "POD_UID"]),
  ...deployment("taken", `${APP}.volumeMounts.0.mountPath`, ["/a", "/a/", "relative", "/a:b"]),
  ...deployment("refused", `${APP}.volumeMounts.0.mountPath`, ["", "/data/automation_consumer"]),
  ...deployment("refused", `${APP}.volumeMounts.0.name`, ["no-volume"]),
  ...deployment("refused", "spec.template.spec.volumes.0.name", ["action-history", "Upper", "a.b"]),
  ...deployment("taken", "spec.template.spec.volumes.1.persistentVolumeClaim.claimName", [
    "a.b",
    "a",
    "A",
    "a_b",
  ]),
  ...deployment("refused", "spec.template.spec.volumes.1.persistentVolumeClaim.claimName", [""]),
  ...deployment("taken", "spec.template.spec.volumes.2.emptyDir.sizeLimit", ["0", "1e6", "1Mi"]),
  ...deployment("refused", "spec.template.spec.volumes.2.emptyDir.sizeLimit", ["1K", "-1Mi"]),
  ...deployment("taken", "spec.template.spec.securityContext.runAsUser", [0, 2_147_483_647]),
  ...deployment("refused", "spec.template.spec.securityContext.runAsUser", [-1, 2_147_483_648]),
  ...deployment("refused", "metadata.name", ["Upper", "a_b", "-a", ""]),
  ...claim("taken", "spec.resources.requests.storage", ["1Gi", 1, "1e9", "1m", "0.5"]),
  ...claim("refused", "spec.resources.requests.storage", ["0", "-1Gi", "1K", "1GB", "", 0]),
  ...claim("taken", "spec.accessModes", [["ReadWriteMany"], ["ReadWriteMany", "ReadWriteOnce"]]),
  ...claim("refused", "spec.accessModes", [[], ["ReadWriteOncePod", "ReadWriteMany"]]),
  ...claim("taken", "spec.storageClassName", ["", "a.b"]),
  ...claim("refused", "spec.storageClassName", ["A", "a_b"]),
  ...claim("refused", "metadata.name", ["a_b"]),
];

function deployment(verdict: Case["verdict"], path: string, values: readonly unknown[]): Case[] {
  return values.map((value) => ({ kind: "Deployment", path, value, verdict }));
}

function probe(verdict: Case["verdict"], values: readonly unknown[]): Case[] {
  return ["periodSeconds", "timeoutSeconds", "failureThreshold"].flatMap((field) =>
    deployment(verdict, `${APP}.startupProbe.${field}`, values),
  );
}

function claim(verdict: Case["verdict"], path: string, values: readonly unknown[]): Case[] {
  return values.map((value) => ({ kind: "PersistentVolumeClaim", path, value, verdict }));
}
