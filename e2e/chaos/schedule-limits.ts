/** The limits of a schedule, on the command line and in a file. */
export const STEPS_MAX = 1000;
export const REPLICAS_MAX = 9;
export const PARTITIONS_MAX = 100;
/**
 * The number of schedules from which on `--require-coverage` counts: a possible pair of fault and
 * held moment that was in at least this many schedules and fired in none of them ends the run with
 * exit code 4. So does a fault that fired at no held moment, and a held moment at which no fault
 * fired. Fewer schedules prove nothing, since a moment can be missed.
 */
export const COVERAGE_SCHEDULES_MIN = 10;
/**
 * The number of nodes of a broker that can have several: one may be killed while the others go on.
 */
export const BROKER_NODES = 3;
