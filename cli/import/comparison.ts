import { lineOfClientMsgId, type IrcMessage } from './irc-file.ts';

/** A message as a store holds it. */
export interface StoredMessage {
  readonly client_msg_id: string | null;
  readonly text: string;
  readonly author: string | null;
  readonly sent_at: string | null;
}

/** What one store holds, against the file. `exact`: every line once, in the file's order, equal in every part, and nothing else. */
export interface ComparisonResult {
  readonly store: string;
  readonly held: number;
  readonly equal: number;
  readonly exact: boolean;
  /** The first differences, in words. */
  readonly differences: readonly string[];
  readonly differenceCount: number;
}

export interface Comparison {
  /** The store's next message. */
  take(stored: StoredMessage): Promise<void>;
  /** Something wrong that is not in a message, such as a hole in the numbering. */
  differ(difference: string): void;
  finish(): Promise<ComparisonResult>;
}

const MAX_DIFFERENCES = 5;
export type ComparedField = 'text' | 'author' | 'sent_at';
const ALL_FIELDS: readonly ComparedField[] = ['text', 'author', 'sent_at'];

/**
 * Walks a store's messages beside the file's, both in order, holding one of each. The line number in the id says how the two go on
 * together after a difference: a later line means that those before it are missing, an earlier one that it is out of place.
 */
export function createComparison(
  store: string,
  identity: string,
  file: AsyncIterator<IrcMessage>,
  fields: readonly ComparedField[] = ALL_FIELDS,
): Comparison {
  const differences: string[] = [];
  let [held, equal, differenceCount] = [0, 0, 0];
  let expected: Promise<IrcMessage | null> = next();

  async function next(): Promise<IrcMessage | null> {
    const step = await file.next();
    return step.done ? null : step.value;
  }
  function differ(difference: string): void {
    differenceCount += 1;
    if (differences.length < MAX_DIFFERENCES) differences.push(difference);
  }
  async function skipTo(line: number): Promise<IrcMessage | null> {
    for (let message = await expected; message !== null && message.line < line; message = await expected) {
      differ(`line ${message.line} is missing`);
      expected = next();
    }
    return expected;
  }
  function compare(message: IrcMessage, stored: StoredMessage): void {
    const unequal = fields.filter((field) => message[field] !== stored[field]);
    if (unequal.length === 0) equal += 1;
    for (const field of unequal) differ(`line ${message.line} has another ${field}: ${JSON.stringify(stored[field])}`);
  }

  return {
    differ,
    async take(stored) {
      held += 1;
      const line = stored.client_msg_id === null ? null : lineOfClientMsgId(identity, stored.client_msg_id);
      if (line === null) return differ(`a message that is not of this file: ${JSON.stringify(stored.client_msg_id)}`);
      const message = await skipTo(line);
      if (message === null) return differ(`line ${line} is there again, or more than was to be`);
      if (message.line !== line) return differ(`line ${line} is there again or out of order`);
      compare(message, stored);
      expected = next();
    },
    async finish() {
      await skipTo(Infinity);
      return { store, held, equal, exact: differenceCount === 0, differences, differenceCount };
    },
  };
}
