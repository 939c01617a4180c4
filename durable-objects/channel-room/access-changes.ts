import type { CloseCode } from '../../protocol/close-codes.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import { isOf, type Whose } from '../sockets/whose.ts';
import type { Conversation } from './conversation.ts';
import { applyMemberChange } from './membership.ts';
import type { MemberChange } from './room-api.ts';
import type { Tree } from './tree.ts';

export interface AccessChangePorts {
  clock(): number;
  /** Commits the commands that wait: they were sent before the change. */
  flush(): void;
  /** The change is announced by these events. */
  announced(userId: string, events: readonly LogEvent[]): void;
}

/**
 * Changes of who may be here. Each resolves when it has taken effect on every socket, of the room and of its nodes (G5); it rejects where a node could
 * not be told, and is to be repeated then.
 */
export class AccessChanges<S extends RoomSocket> {
  readonly #conversation: Conversation;
  readonly #fanout: Fanout<S>;
  readonly #tree: Tree;
  readonly #ports: AccessChangePorts;

  constructor(conversation: Conversation, fanout: Fanout<S>, tree: Tree, ports: AccessChangePorts) {
    this.#conversation = conversation;
    this.#fanout = fanout;
    this.#tree = tree;
    this.#ports = ports;
  }

  async applyMemberChange(change: MemberChange): Promise<void> {
    this.#ports.flush();
    const events = applyMemberChange(this.#conversation, change, this.#ports.clock());
    const gone = this.#conversation.access.isMember(change.user_id) ? null : this.#closeWhere({ user_id: change.user_id }, 4003, 'removed from the channel');
    if (events.length > 0) this.#ports.announced(change.user_id, events);
    await gone;
  }

  /** `expiresAt` in epoch milliseconds: from then on it is refused for its age. */
  async revokeCredential(credentialId: string, expiresAt: number): Promise<void> {
    this.#conversation.access.revoke(credentialId, expiresAt, this.#ports.clock());
    await this.#closeWhere({ credential_id: credentialId }, 4001, 'the credential was revoked');
  }

  async #closeWhere(whose: Whose, code: CloseCode, reason: string): Promise<void> {
    this.#fanout.closeWhere(({ actor }) => isOf(whose, actor), code, reason);
    await this.#tree.closeWhere(whose, code, reason);
  }
}
