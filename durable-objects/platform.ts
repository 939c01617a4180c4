import { V7Generator } from 'uuidv7';
import type { AlarmPort } from './alarms.ts';
import type { MetricsReport } from './metrics-hub/metrics-api.ts';

type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** The ports that every core has, of an object on the platform. */
export const platformPorts = ({ storage }: DurableObjectState, { METRICS_HUB }: Env) => ({
  clock: Date.now,
  random: Math.random,
  schedule: (ms: number, task: () => void): void => void setTimeout(task, ms),
  durable: (): Promise<void> => storage.sync(),
  report: (report: MetricsReport): void => void METRICS_HUB.getByName('hub').report(report).catch(() => {}),
});

export const alarmPort = ({ storage }: DurableObjectState): AlarmPort => ({
  setAlarm: (at) => void storage.setAlarm(at),
  clearAlarm: () => void storage.deleteAlarm(),
});

/** UUIDv7s of given moments, in epoch milliseconds; rising. */
export function risingIds(): (now: number) => string {
  const ids = new V7Generator();
  return (now) => ids.generateOrResetWithTs(now).toString();
}

/** As `LogDrainPorts.restart`. `forgetStored` leaves nothing for the next instance to open. */
export const restarting = (ctx: DurableObjectState, forgetStored: () => void) => (reason: string, forget: boolean): void => {
  if (forget) forgetStored();
  void ctx.storage.sync().then(() => ctx.abort(reason));
};

/** Warnings of one component as lines of JSON, each with what it is `about`. */
export const warnings = (component: string, about: Readonly<Record<string, unknown>> = {}): Warn => (message, fields) =>
  console.warn(JSON.stringify({ level: 'warn', component, message, ...about, ...fields }));
