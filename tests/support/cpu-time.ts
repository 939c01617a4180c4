/** How many milliseconds of processor time this process has used for `work`: what a busy machine takes beside it does not count. */
export function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
