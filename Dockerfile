# The consumer's image: its sources and runtime dependencies, the scripts of the pod, nothing of the kit.
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag kafka_consumer .
ARG BASE_IMAGE=node:24-bookworm-slim

FROM ${BASE_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# No runtime dependency has an install script; none of a development dependency may run here.
RUN npm ci --omit=dev --ignore-scripts

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="kafka_consumer" \
      org.opencontainers.image.description="Executes automation actions for BigPanda incidents, never the same action twice" \
      org.opencontainers.image.vendor="sre-team@yahooinc.com"

# The uid and gid of omega.yaml's securityContext: fixed, since the history volume belongs to the gid.
RUN groupadd --gid 10001 kafka_consumer \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin kafka_consumer

COPY deploy_target/omega/scripts/app_configure deploy_target/omega/scripts/app_start deploy_target/omega/scripts/app_prestop /opt/omega/bin/
RUN APP_OWNER=10001:10001 /opt/omega/bin/app_configure

COPY deploy_target/omega/bin/kafka_consumer /opt/y/1.0/bin/
# Not under node_modules: Node strips no types there.
COPY --from=dependencies /build/node_modules /opt/y/1.0/lib/kafka_consumer/node_modules
COPY package.json /opt/y/1.0/lib/kafka_consumer/
COPY consumer /opt/y/1.0/lib/kafka_consumer/consumer

ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/tmp/node-compile-cache \
    UV_THREADPOOL_SIZE=64
USER 10001:10001
EXPOSE 8080
# No HEALTHCHECK: Kubernetes asks /livez and /readyz itself.
ENTRYPOINT ["/opt/omega/bin/app_start"]
# Last, since it changes with every commit: what is above stays in the cache.
ARG REVISION=unknown
LABEL org.opencontainers.image.revision="${REVISION}"
