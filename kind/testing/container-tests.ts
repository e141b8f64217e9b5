/** Set to 1, tests that need a container engine or a cluster run; they take minutes and build images. */
const VARIABLE = "CONTAINER_TESTS";

/** For the name of a suite: the reason why it is skipped; empty when it is to run. */
export function notAsked(): string {
  return process.env[VARIABLE] === "1" ? "" : ` (skipped: set ${VARIABLE}=1 to run them)`;
}

/** Of the cluster that a test makes; kind's own default when KIND_NODE_IMAGE is not set. */
export function nodeImage(): string | undefined {
  return process.env["KIND_NODE_IMAGE"] || undefined;
}
