import { playShippedConfiguration } from "#e2e/deployment/steps/play-shipped-configuration.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 38,
  name: "shipped-production-configuration",
  title:
    "The shipped production configuration, deployed as deploy-production, does exactly what rules test predicts.",
  run: async (context) => {
    await playShippedConfiguration(context, "deploy-production", {
      claim: "kafka-consumer-history-prod",
      memoryLimit: "4Gi",
    });
  },
};
