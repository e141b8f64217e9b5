export interface PreflightFinding {
  readonly severity: "warning" | "error";
  readonly message: string;
}

/** What is wrong with deploy_target and the pipeline before anything is started. */
export async function preflight(): Promise<PreflightFinding[]> {
  return [];
}
