const PURPOSES = {
  automation_action_history: "view",
  imported: "imported",
  journal: "journal",
  limits: "limits",
  snapshot: "snapshot",
  temporary: "temporary",
};
const ATTEMPT_FILES = { claim: "claim", outcome: "outcome", resolution: "resolution" };

/**
 * Returns the purpose of a path of the history volume, relative to its root. The purpose of a
 * directory is that of its content.
 */
export function purposeOf(path) {
  const [first, second, third] = path.split("/");
  if (first === "claims") {
    if (third === undefined) return "claims-directory";
    return ATTEMPT_FILES[third.slice(third.lastIndexOf(".") + 1)] ?? "other";
  }
  if (first === "control") return second === "horizon" ? "horizon" : "control";
  return PURPOSES[first.replace(/\.json$/, "")] ?? "other";
}
