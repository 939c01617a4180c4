import type { MetricsReport } from '../metrics-hub/metrics-api.ts';

/** How many sockets an inbox has, for the metrics hub: reported where it has changed. */
export class SocketGauge {
  readonly #source: string;
  readonly #report: (report: MetricsReport) => void;
  #reported = 0;

  constructor(userId: string, report: (report: MetricsReport) => void) {
    this.#source = `inbox ${userId}`;
    this.#report = report;
  }

  /** Those of an earlier instance, which has reported them. */
  found(sockets: number): void {
    this.#reported = sockets;
  }

  note(sockets: number): void {
    if (sockets === this.#reported) return;
    this.#reported = sockets;
    this.#report({ source: this.#source, gauges: [{ name: 'colink_inbox_sockets', value: sockets === 0 ? null : sockets }] });
  }
}
