import { BROKER_USAGE } from "./broker-arguments.ts";
import { CHAOS_USAGE } from "./chaos-arguments.ts";

export const USAGE = `Usage: npm run e2e -- [COMMAND] [options]

Commands
  run (default)   run the scenarios
  chaos           run schedules of faults that are drawn from a seed, and judge their histories
  replay PATH     run one schedule again: a file, or the artifacts of a run
  list            print the number, name and title of every scenario
  compare DIR DIR compare the lives of the pods of two runs by their artifacts
  doctor          check this machine and print how to fix each problem
  clean           remove directories of pods and kind clusters that ended runs have left, for every
                  checkout on this machine

Options of run, chaos and replay
  --target local|kind|kubernetes
                          where the pods run: as processes of this host, in a kind cluster on its
                          Docker or Podman, or in an existing cluster (default local)
  --broker embedded|kafka|redpanda|external
                          the broker that the pods read (default embedded, which needs no Docker)
  --jobs N                run N scenarios or schedules at the same time (default: depends on the
                          number of processors)
  --keep on-failure|always|never
                          when to keep the directories of the pods (default on-failure)
  --artifacts DIR         create one directory per run in DIR (default $SD_ARTIFACTS_DIR, or
                          ./artifacts)
  --junit FILE            write a copy of the JUnit report to FILE

Options of run with a configuration of your own
  --config FILE           play this configuration, with the simulators in place of its addresses, and
                          show that exactly the actions happen that rules test predicts; other
                          scenarios run only where --scenario selects them
  --incidents PATH        the incidents to play: a file, a directory or - (repeatable; default
                          fixtures/incidents/webhook)
  --job component|deploy-production
                          the job whose rendering, identity, claim and environment the pods have
                          (default component)

Options of run
  --scenario N|NAME       run only this scenario (repeatable)
  --seed N                a number from 0 to 4294967295 (default: a random one, which is printed)
  --real-time             use the durations of production instead of short ones
  --compare DIR           compare with the artifacts of an earlier run on any target: the run fails
                          when the pods of a scenario lived differently

${CHAOS_USAGE}
Options of --target kind
  --cluster NAME          use the cluster NAME, or make it; the last run that uses a cluster deletes it
                          if a run has made it and --keep allows (default: a cluster of the run's own)
  --node-image NAME       the node image of a new cluster (default: that of kind)
  --engine docker|podman  the container engine (default: the first one that answers)
  --base-image NAME       the image on which the images are built (default node:24-bookworm-slim)
  --image NAME            use an image of the consumer that was built earlier (default: build one)

Options of --target kubernetes, all of which are required
  --context NAME          the context of the kubeconfig, as kubectl finds it
  --image NAME            the image of the consumer, as the nodes of the cluster find it
  --simulators-image NAME the image of the simulators, as the nodes of the cluster find it

${BROKER_USAGE}
Exit codes: 0 passed, 1 an expectation broke, 2 wrong usage, 3 preflight failed, 4 infrastructure
failed, a fault never fired or nothing was run, 130 interrupted.
`;
