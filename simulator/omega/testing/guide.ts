/** omega.yaml as the deployment guide has it, section by section, without any addition. */
export const GUIDE_OMEGA_YAML = `
template: generic-app:stable
appName: kafka-consumer
maintainer: sre-team@yahooinc.com
athensDomain: sre
base: docker.ouroath.com:4443/yahoo/kafka_consumer
requireTLSCerts: true
identityv3: true
resources:
  limits:
    memory: { nonprod: 2Gi, prod: 4Gi }
  requests:
    cpu: { nonprod: 500m, prod: 1 }
    memory: { nonprod: 1Gi, prod: 2Gi }
sidecars:
  splunk:
    instance: deploy.splunk.global.media.yahoo.com:5500
    omegaSplunkClientName: omega_kafka-consumer
custom:
  appLogsDirs: [/app/logs]
configMounts:
  - { name: app-config, mountPath: /app/config, source: config }
pvcMounts:
  - { name: action-history, claimName: kafka-consumer-history, mountPath: /data/automation_consumer }
jobs:
  component:
    environment: development
    colo: use1
    cluster: omega-aws
    clusterEnvironment: centraltech-nonprod1
    pvcMounts:
      - { name: action-history, claimName: kafka-consumer-history-dev, mountPath: /data/automation_consumer }
  deploy-production:
    environment: production
    colo: use1
    cluster: omega-aws
    clusterEnvironment: centraltech-prod1
    pvcMounts:
      - { name: action-history, claimName: kafka-consumer-history-prod, mountPath: /data/automation_consumer }
`;
