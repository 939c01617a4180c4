import type { ChannelStanding, FileNews, PreviewNews, Removal } from '../../protocol/announcements.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { RedactAnswer, Redaction } from '../../protocol/redactions.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Conversation } from './conversation.ts';
import { announceFiles } from './file-news.ts';
import { announcePreviews } from './preview-news.ts';
import { redact } from './redaction.ts';
import { removeMessages } from './removal.ts';
import { announceStanding } from './standing.ts';

interface OrdersPorts {
  clock(): number;
  /** Commits the commands that wait: they came before the order. */
  flush(): void;
  /** Of at least one event. */
  committed(events: readonly LogEvent[]): void;
}

/** What a room does to its log by order of Postgres, whoever its members are. Each order may be repeated. */
export class Orders {
  readonly #conversation: Conversation;
  readonly #ports: OrdersPorts;

  constructor(conversation: Conversation, ports: OrdersPorts) {
    this.#conversation = conversation;
    this.#ports = ports;
  }

  /** As `announceStanding`. Where the channel is archived it takes nothing new from then on. What waits was sent before. */
  setStanding(standing: ChannelStanding): void {
    this.#publish(announceStanding(this.#conversation, standing, this.#begin()));
  }

  /** As `announceFiles`. */
  announceFiles(news: readonly FileNews[]): void {
    this.#publish(announceFiles(this.#conversation, news, this.#begin()));
  }

  /** As `announcePreviews`. */
  announcePreviews(news: readonly PreviewNews[]): Outcome<true> {
    const announced = announcePreviews(this.#conversation, news, this.#begin());
    if ('problem' in announced) return announced;
    this.#publish(announced.ok);
    return { ok: true };
  }

  /** As `RoomApi`. */
  redact(redaction: Redaction): RedactAnswer {
    const { answer, events } = redact(this.#conversation, redaction, this.#begin());
    this.#publish(events);
    return answer;
  }

  /** As `removeMessages`. */
  removeMessages(removals: readonly Removal[]): Outcome<true> {
    const removed = removeMessages(this.#conversation, removals, this.#begin());
    if ('problem' in removed) return removed;
    this.#publish(removed.ok);
    return { ok: true };
  }

  /** The moment of the order. */
  #begin(): number {
    this.#ports.flush();
    return this.#ports.clock();
  }

  #publish(events: readonly LogEvent[]): void {
    if (events.length > 0) this.#ports.committed(events);
  }
}
