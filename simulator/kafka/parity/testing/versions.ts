import { defineApiVersions } from "#simulator/kafka/apis/18-api-versions.ts";

/** The codec of ApiVersions for a client. */
export const apiVersions = defineApiVersions(() => []);
