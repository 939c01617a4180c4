import { DurableObject } from 'cloudflare:workers';
import { durableSql } from '../log/durable-sql.ts';
import type { Listening, MetricsApi, MetricsReport } from './metrics-api.ts';
import { MetricsStore } from './metrics-store.ts';

/** The one object that isolates and rooms report to, because each of them lives too briefly to be scraped. */
export class MetricsHub extends DurableObject<Env> implements MetricsApi {
  readonly #store: MetricsStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new MetricsStore(durableSql(ctx));
  }

  async report(report: MetricsReport): Promise<void> {
    this.#store.add(report, Date.now());
  }

  async listening(after: string | null, limit: number): Promise<Listening> {
    return this.#store.listening(after, limit);
  }

  async render(): Promise<string> {
    return this.#store.render(Date.now());
  }
}
