import { playShippedConfiguration } from "#e2e/deployment/steps/play-shipped-configuration.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";

export const scenario: Scenario = {
  number: 37,
  name: "shipped-development-configuration",
  title:
    "The shipped development configuration, deployed as component, does exactly what rules test predicts.",
  run: async (context) => {
    await playShippedConfiguration(context, "component", {
      claim: "kafka-consumer-history-dev",
      memoryLimit: "2Gi",
    });
  },
};
