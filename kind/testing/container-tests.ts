/**
 * When this variable is 1, tests that need a container engine or a cluster run. They take minutes
 * and build images.
 */
const VARIABLE = "CONTAINER_TESTS";

/** Returns, for the name of a suite, the reason why it is skipped, or "" when it runs. */
export function notAsked(): string {
  return process.env[VARIABLE] === "1" ? "" : ` (skipped: set ${VARIABLE}=1 to run them)`;
}

/**
 * Returns the node image for clusters made by tests, or undefined (kind's own default) when
 * KIND_NODE_IMAGE is not set.
 */
export function nodeImage(): string | undefined {
  return process.env["KIND_NODE_IMAGE"] || undefined;
}
