/** The part of screwdriver-config-parser 12 that is used here. The package brings no types. */
declare module "screwdriver-config-parser" {
  export interface ParsedCommand {
    readonly name: string;
    readonly command: string;
  }

  /** One permutation of a job's matrix. A job without a matrix has one. */
  export interface ParsedJob {
    readonly commands: readonly ParsedCommand[];
    readonly environment: Readonly<Record<string, string>>;
    readonly image: string;
    readonly requires?: string | readonly string[];
    readonly annotations: Readonly<Record<string, unknown>>;
  }

  export interface ParsedPipeline {
    readonly jobs: Readonly<Record<string, readonly ParsedJob[]>>;
    readonly workflowGraph: {
      readonly nodes: readonly { readonly name: string }[];
      readonly edges: readonly { readonly src: string; readonly dest: string }[];
    };
    /** Set instead of rejecting: the jobs are then a placeholder that fails. */
    readonly errors?: readonly string[];
    readonly warnMessages?: readonly unknown[];
  }

  export interface JobTemplate {
    readonly id: number;
    readonly namespace: string;
    readonly name: string;
    readonly version: string;
    readonly config: {
      readonly image: string;
      readonly steps: readonly Readonly<Record<string, string>>[];
      readonly environment?: Readonly<Record<string, string>>;
    };
  }

  export interface TemplateFactory {
    /**
     * Tells whether the version in `namespace/name@version` is a version (1, 1.2, 1.2.3) or a tag
     * (latest).
     */
    getFullNameAndVersion(template: string): { isVersion: boolean; isTag: boolean };
    getTemplate(template: string): Promise<JobTemplate | null>;
  }

  export function parsePipelineYaml(options: {
    readonly yaml: string;
    readonly templateFactory: TemplateFactory;
  }): Promise<ParsedPipeline>;
}
