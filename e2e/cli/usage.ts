import { BROKER_USAGE } from "./broker-arguments.ts";
import { CHAOS_USAGE } from "./chaos-arguments.ts";

export const USAGE = `Usage: npm run e2e -- [COMMAND] [options]

Commands
  run (default)   run the scenarios
  chaos           run schedules of faults that are drawn from a seed, and judge what happened
  replay PATH     run one schedule again: a file, or the artifacts of a run
  list            print number, name and title of every scenario
  compare DIR DIR whether the pods of two runs lived the same, by the artifacts of both
  doctor          check this machine; each check prints its fix
  clean           remove the directories of pods and the clusters of kind that ended runs left, of
                  every checkout on this machine

Options of run, chaos and replay
  --target local|kind|kubernetes
                          where the pods run: processes of this host, a cluster of kind on its Docker
                          or Podman, or any cluster that is there (default local)
  --broker embedded|kafka|redpanda|external
                          which broker they read (default embedded: no Docker needed)
  --jobs N                scenarios or schedules at the same time (default: by the number of processors)
  --keep on-failure|always|never
                          directories of the pods that stay (default on-failure)
  --artifacts DIR         receives one directory per run (default $SD_ARTIFACTS_DIR, else ./artifacts)
  --junit FILE            a copy of the JUnit report

Options of run
  --scenario N|NAME       only these (repeatable)
  --seed N                0 to 4294967295 (default: a random one, printed)
  --real-time             production durations instead of short ones
  --compare DIR           the artifacts of an earlier run, of whatever target: a scenario whose pods
                          lived otherwise than there fails the run

${CHAOS_USAGE}
Options of --target kind
  --cluster NAME          used when it is there, else made; the last run that uses it deletes one that a
                          run made, unless --keep says otherwise (default: one of the run's own)
  --node-image NAME       of a cluster that is made (default: that of kind)
  --engine docker|podman  default: the first that answers
  --base-image NAME       what the images are built on (default node:24-bookworm-slim)
  --image NAME            an image of the consumer that was built earlier (default: build it)

Options of --target kubernetes, all of them needed
  --context NAME          of the kubeconfig, as kubectl finds it
  --image NAME            of the consumer, and
  --simulators-image NAME of the simulators, where the nodes of the cluster find them

${BROKER_USAGE}
Exit codes: 0 passed, 1 an expectation broke, 2 usage, 3 preflight, 4 infrastructure, a fault that
never fired, or nothing was run, 130 interrupted.
`;
