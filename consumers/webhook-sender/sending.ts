import type { ClaimRequest, ClaimedDelivery } from '../../db/queries/webhook-sending.ts';

/** What a process is sending at this moment. */
export class Sending {
  readonly #underWay = new Map<Promise<void>, Pick<ClaimedDelivery, 'owner_id' | 'host'>>();

  get size(): number {
    return this.#underWay.size;
  }

  start({ owner_id, host }: ClaimedDelivery, work: Promise<void>): void {
    const done = work.finally(() => this.#underWay.delete(done));
    this.#underWay.set(done, { owner_id, host });
  }

  counts(): ClaimRequest['sending'] {
    const counts = { owners: {} as Record<string, number>, hosts: {} as Record<string, number> };
    for (const { owner_id, host } of this.#underWay.values()) {
      counts.owners[owner_id] = (counts.owners[owner_id] ?? 0) + 1;
      counts.hosts[host] = (counts.hosts[host] ?? 0) + 1;
    }
    return counts;
  }

  async oneIsDone(): Promise<void> {
    await Promise.race(this.#underWay.keys());
  }

  async allAreDone(): Promise<void> {
    await Promise.all(this.#underWay.keys());
  }
}
