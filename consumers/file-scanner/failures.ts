import { InfrastructureError } from '../runtime/classify.ts';

/** clamd cannot be reached, or lacks something itself. It says nothing against the file, which waits. */
export class ClamdAway extends InfrastructureError {}

/**
 * A try came to no end, and nobody can say whether by the file's fault: its content was not to be had, or clamd broke off with it. It is tried
 * again, more often than what is the file's own, but not for ever.
 */
export class ScanUnfinished extends Error {
  override readonly name = 'ScanUnfinished';
}

/** clamd took the file and did not come to an end with it: it was too slow, or died, or is none. A file may do that to it. */
export class ClamdFailed extends ScanUnfinished {}

/** This file cannot be scanned, for a reason that lies with it. */
export class Unscannable extends Error {
  override readonly name = 'Unscannable';
}

/** Whoever scans a file has been too late to say so, and it is another's by now. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}
