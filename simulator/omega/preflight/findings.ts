import { z } from "zod";
import { validateYaml } from "#simulator/omega/document/validate.ts";

export interface Finding {
  /** The stable name of the broken rule, in dashed words. */
  readonly rule: string;
  /** The job or file. */
  readonly place: string;
  /** The value that breaks the rule. */
  readonly subject: string;
  readonly message: string;
  /** Kubernetes accepts it and only warns. Defaults to false. */
  readonly isWarning?: boolean;
}

export interface ClassifiedFinding extends Finding {
  readonly severity: "error" | "warning";
  /** The reason why an acknowledged finding is known and stays. */
  readonly reason?: string;
}

const acknowledgementsSchema = z.array(
  z.strictObject({
    rule: z.string(),
    place: z.string(),
    subject: z.string(),
    reason: z.string().min(20),
  }),
);

export type Acknowledgement = z.infer<typeof acknowledgementsSchema>[number];

/** Reads acknowledged-findings.yaml. Throws OmegaError. */
export function parseAcknowledgements(text: string): Acknowledgement[] {
  return validateYaml("acknowledged-findings.yaml", acknowledgementsSchema, text);
}

/**
 * Turns findings into errors and warnings. A finding that is acknowledged literally (rule, place
 * and value) is a warning; the same rule broken by another value is an error. An acknowledgement
 * that nothing needs any more is an error too, for the places that were checked.
 */
export function classifyFindings(
  findings: readonly Finding[],
  acknowledgements: readonly Acknowledgement[],
  places: readonly string[],
): ClassifiedFinding[] {
  const unused = acknowledgements.filter(
    (acknowledgement) =>
      places.includes(acknowledgement.place) &&
      !findings.some((finding) => isSame(finding, acknowledgement)),
  );
  return [
    ...findings.map((finding): ClassifiedFinding => {
      const acknowledgement = acknowledgements.find((candidate) => isSame(finding, candidate));
      return acknowledgement === undefined
        ? { ...finding, severity: finding.isWarning === true ? "warning" : "error" }
        : { ...finding, severity: "warning", reason: acknowledgement.reason };
    }),
    ...unused.map(({ rule, place, subject }): ClassifiedFinding => ({
      rule: "acknowledged-for-nothing",
      place,
      subject: rule,
      message: `${rule} is acknowledged for "${subject}" and is not there: remove it from acknowledged-findings.yaml`,
      severity: "error",
    })),
  ];
}

function isSame(finding: Finding, acknowledgement: Acknowledgement): boolean {
  return (
    finding.rule === acknowledgement.rule &&
    finding.place === acknowledgement.place &&
    finding.subject === acknowledgement.subject
  );
}
