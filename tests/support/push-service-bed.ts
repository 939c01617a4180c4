import { createPushService } from '../../consumers/notification-sender/push-service.ts';
import { webPushSender } from '../../consumers/notification-sender/web-push.ts';
import type { Service } from '../../consumers/runtime/service.ts';
import { type Notified, NotifiedBed } from './notified-bed.ts';
import { insertSubscription, newVapidKeys, type NoticeWishes, PushServer, type TestSubscription } from './push-bed.ts';

export interface SubscriptionState {
  readonly failures: number;
  /** Milliseconds until something is due; null: nothing waits. */
  readonly waits_ms: number | null;
  readonly is_leased: boolean;
}

/** The service that sends pushes, before a push service and a browser of Ben's; and what has become of it all. */
export class PushServiceBed {
  readonly people: NotifiedBed;
  readonly vapid = newVapidKeys();
  /** Ben's browser. */
  readonly to: TestSubscription;
  server: PushServer;
  clock: () => number = Date.now;
  readonly outcomes: string[] = [];
  readonly ended: string[] = [];
  readonly errors: unknown[] = [];
  readonly #services: Service[] = [];

  static async open(): Promise<PushServiceBed> {
    const [people, server] = [await NotifiedBed.open(), await PushServer.listen()];
    await people.sql`UPDATE users SET display_name = 'Ann Lee' WHERE id = ${people.ann.id}`;
    return new PushServiceBed(people, server, await insertSubscription(people.sql, people.ben, server.origin));
  }

  private constructor(people: NotifiedBed, server: PushServer, to: TestSubscription) {
    [this.people, this.server, this.to] = [people, server, to];
  }

  /** `timeoutMs`: of an attempt. Only a test that is to run into it sets one that a busy machine could, too. */
  start(timeoutMs = 15_000): Service {
    const service = createPushService({
      sql: this.people.sql,
      sender: webPushSender({ vapid: this.vapid, resolve: () => Promise.reject(new Error('addresses alone are asked')), loopback: true, timeoutMs, now: Date.now }),
      now: () => this.clock(),
      random: () => 0,
      onSettled: (outcome) => this.outcomes.push(outcome),
      onEnded: (why) => this.ended.push(why),
      onError: (error) => this.errors.push(error),
    });
    this.#services.push(service);
    void service.run();
    return service;
  }

  /** Ben is notified of a message of Ann's. */
  notify(text = 'hello @ben', wishes: Partial<NoticeWishes> = {}): Promise<Notified> {
    return this.people.notify(text, wishes);
  }

  /** How each push stands, by the order of notices. */
  readonly rows = async (): Promise<string[]> => (await this.people.sql<{ status: string }[]>`SELECT p.status FROM pushes p ORDER BY p.notice_seq`).map(({ status }) => status);

  /** Nothing waits, and who sent has said so. */
  readonly isSettled = async (): Promise<boolean> =>
    (await this.rows()).every((status) => status !== 'pending') && (await this.people.sql`SELECT FROM push_subscriptions WHERE lease IS NOT NULL`).length === 0;

  readonly state = async (): Promise<SubscriptionState | undefined> => (await this.people.sql<SubscriptionState[]>`
    SELECT s.failures, (extract(epoch FROM s.due_at - now()) * 1000)::float8 AS waits_ms, s.lease IS NOT NULL AS is_leased FROM push_subscriptions s`)[0];

  readonly dueNow = () => this.people.sql`UPDATE push_subscriptions SET due_at = now() WHERE due_at IS NOT NULL AND lease IS NULL`;

  /** What Ben's browser made of all that came. */
  readonly texts = (): string[] => this.server.received.map(({ body }) => this.to.browser.decrypt(body).text);

  async close(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.server.close();
    await this.people.close();
  }
}
