/** What a schedule may ask for, on the command line and in a file. */
export const STEPS_MAX = 1000;
export const REPLICAS_MAX = 9;
export const PARTITIONS_MAX = 100;
/**
 * With `--require-coverage` a pair of fault and held moment that can be, and was in at least so many schedules and fired in none of them, ends
 * the run with exit code 4; so does a fault that fired at no held moment, and a held moment at which no fault fired. Fewer schedules say
 * nothing: a moment can be missed.
 */
export const COVERAGE_SCHEDULES_MIN = 10;
/** Of a broker that can have several: one may be killed while the others go on. */
export const BROKER_NODES = 3;
