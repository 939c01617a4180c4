import type { Ending } from './run.ts';

/**
 * The fleet's process. It asks for its signals before it loads the rest, which takes longer than everything else of a start: without an answer to
 * them a process is ended in the middle, and the first one of a container does not hear them at all.
 */
const { promise, resolve } = Promise.withResolvers<Ending>();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve({ reason: signal }));

// In the form of the log to come, for whoever waits until the process may be told to end.
console.log(JSON.stringify({ level: 30, time: new Date().toISOString(), service: 'fleet', msg: 'the fleet loads' }));
const { run } = await import('./run.ts');
await run(promise);
