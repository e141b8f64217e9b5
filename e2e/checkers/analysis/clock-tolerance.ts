/**
 * The largest difference between the times of one moment in two places. Files are stamped with a
 * tick of the kernel (4 ms at most), and on a busy machine a log line or an event is stamped a
 * moment later than what it reports.
 */
export const CLOCK_TOLERANCE_MS = 50;
