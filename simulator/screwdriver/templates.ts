import type { JobTemplate, TemplateFactory } from "screwdriver-config-parser";

/**
 * Stands in for `omega/k8s-generic@latest`, which is not public. The deployment guide names the two
 * commands that it runs. That they are two steps, and the names of the steps, are our reading.
 */
const K8S_GENERIC: JobTemplate = {
  id: 1,
  namespace: "omega",
  name: "k8s-generic",
  version: "1.0.0",
  config: {
    image: "omega-k8s-generic:stand-in",
    steps: [{ "init-kdnc": "k8s-ci app init-kdnc" }, { "deploy-kdnc": "k8s-ci app deploy-kdnc" }],
  },
};

/**
 * Returns templates by `namespace/name` behind the parser's interface. Every version and tag gives
 * the same template.
 */
export function standInTemplates(
  templates: readonly JobTemplate[] = [K8S_GENERIC],
): TemplateFactory {
  return {
    getFullNameAndVersion: (template) => {
      const version = template.split("@")[1] ?? "";
      const isVersion = /^\d+(\.\d+){0,2}$/.test(version);
      return { isVersion, isTag: version !== "" && !isVersion };
    },
    getTemplate: (template) => {
      const fullName = template.split("@")[0];
      const found = templates.find(({ namespace, name }) => `${namespace}/${name}` === fullName);
      return Promise.resolve(found ?? null);
    },
  };
}
