/** What a schedule may ask for, on the command line and in a file. */
export const STEPS_MAX = 1000;
export const REPLICAS_MAX = 9;
export const PARTITIONS_MAX = 100;
/** Of a broker that can have several: one may be killed while the others go on. */
export const BROKER_NODES = 3;
