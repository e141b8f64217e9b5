import type { ParsedPipeline, TemplateFactory } from "screwdriver-config-parser";
import { parsePipelineYaml } from "screwdriver-config-parser";
import { parse } from "yaml";
import { z } from "zod";
import type { Finding } from "#simulator/omega/preflight/findings.ts";
import { standInTemplates } from "./templates.ts";

/**
 * Triggers that are no jobs of this pipeline: events of the source, schedules and other pipelines.
 */
const EVENT = /^~?(pr|commit|tag|release|pr-closed|subscribe)(:.*)?$|^~?sd@\d+:/;

export interface PipelineCheck {
  /**
   * The pipeline as Screwdriver would run it. It is a placeholder job when a finding has the rule
   * `not-accepted`.
   */
  readonly pipeline: ParsedPipeline;
  /** The values that Screwdriver refuses, and those that it accepts silently although they cannot be meant. */
  readonly findings: readonly Finding[];
}

/**
 * Parses screwdriver.yaml as Screwdriver does and looks for what it drops or overlooks. Never
 * rejects because of the file's content.
 */
export async function checkPipeline(
  yaml: string,
  templateFactory: TemplateFactory = standInTemplates(),
): Promise<PipelineCheck> {
  const pipeline = await parsePipelineYaml({ yaml, templateFactory });
  if (pipeline.errors !== undefined) {
    const findings = pipeline.errors.map((error) =>
      finding("not-accepted", "screwdriver.yaml", error, error),
    );
    return { pipeline, findings };
  }
  return {
    pipeline,
    findings: [...warnings(pipeline), ...unknownJobs(pipeline), ...droppedSteps(pipeline, yaml)],
  };
}

function finding(rule: string, place: string, subject: string, message: string): Finding {
  return { rule, place, subject, message };
}

function warnings(pipeline: ParsedPipeline): Finding[] {
  return (pipeline.warnMessages ?? []).map((warning) => {
    const text = typeof warning === "string" ? warning : JSON.stringify(warning);
    return finding("parser-warning", "screwdriver.yaml", text, text);
  });
}

/** The parser accepts any word in `requires`. A job behind a misspelt one never starts. */
function unknownJobs(pipeline: ParsedPipeline): Finding[] {
  const names = new Set(Object.keys(pipeline.jobs));
  return Object.entries(pipeline.jobs).flatMap(([job, [permutation]]) => {
    const requires = [permutation?.requires ?? []].flat();
    return requires
      .filter((trigger) => !EVENT.test(trigger) && !names.has(trigger.replace(/^~/, "")))
      .map((trigger) =>
        finding(
          "unknown-job",
          job,
          trigger,
          `${job} requires ${trigger}, and there is no such job`,
        ),
      );
  });
}

const stepsSchema = z.object({
  jobs: z.record(
    z.string(),
    z.object({
      steps: z.array(z.union([z.string(), z.record(z.string(), z.unknown())])).optional(),
    }),
  ),
});

/**
 * A template keeps only those steps of a job that it names, with their pre and post steps. The
 * others vanish.
 */
function droppedSteps(pipeline: ParsedPipeline, yaml: string): Finding[] {
  const written = stepsSchema.parse(parse(yaml));
  return Object.entries(written.jobs).flatMap(([job, { steps = [] }]) => {
    const kept = new Set(
      pipeline.jobs[job]?.flatMap(({ commands }) => commands.map(({ name }) => name)),
    );
    return steps
      .flatMap((step) => (typeof step === "string" ? [] : Object.keys(step)))
      .filter((step) => !kept.has(step))
      .map((step) =>
        finding(
          "step-dropped",
          job,
          step,
          `the template of ${job} drops the step ${step}: make it pre or post of a step of the template`,
        ),
      );
  });
}
