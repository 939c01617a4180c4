import { hostname } from 'node:os';

/** Postgres cuts application names at 63 bytes. */
const MOST_NAME = 63;

/**
 * How a process of the fleet is called where it leaves its name: in the sessions it holds roles by, and as a client of Kafka. In Kubernetes the host
 * is the pod. `part`: what of the process it is.
 */
export function processName(part: string, host = hostname(), pid = process.pid): string {
  const rest = `:${pid}`;
  return `${part}@${host.slice(0, MOST_NAME - part.length - 1 - rest.length)}${rest}`;
}

/** The process behind such a name; the name itself where it is none. */
export function processOf(name: string): string {
  return name.slice(name.indexOf('@') + 1);
}
