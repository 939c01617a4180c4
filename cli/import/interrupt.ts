/** The first Ctrl-C aborts `signal` and tells; a second one ends the process as usual. `release` gives both back to the platform. */
export function onInterrupt(tell: () => void): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    tell();
    controller.abort();
  };
  process.once('SIGINT', interrupt);
  return { signal: controller.signal, release: () => void process.off('SIGINT', interrupt) };
}
