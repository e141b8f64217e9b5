/**
 * How much two places may differ in the time of one moment: files are stamped with a tick of the kernel (4 ms at most), and a log line or
 * an event is stamped a moment after the thing itself on a machine that is busy.
 */
export const CLOCK_TOLERANCE_MS = 50;
