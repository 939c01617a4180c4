import { Link, type Piece, type Verdict } from './link.ts';

/** Numbers of Kafka's protocol: https://kafka.apache.org/protocol#protocol_api_keys. */
const PRODUCE = 0;

/**
 * What befalls a produce request. `unsent`: its connection ends before the broker sees it. `unanswered`: the broker does what it is asked, and
 * the answer is lost without a word. `cut`: so, and the connection with it.
 */
export type ProduceFate = 'pass' | 'unsent' | 'unanswered' | 'cut';

/** A link to a broker that knows produce requests and their answers. The broker must advertise `link.port`. */
export async function startKafkaLink(port: number, random: () => number): Promise<Link> {
  return Link.start({ port, random, frames: true });
}

/** Judges produce requests alone, by `fate`, which is told their count from 1. A connection's answers are known by their correlation ids. */
export function judgeProduce(fate: (count: number) => ProduceFate | Promise<ProduceFate>): (piece: Piece) => Promise<Verdict> {
  const fates = new Map<string, ProduceFate>();
  let count = 0;
  return async ({ from, bytes, connection }) => {
    if (from === 'client') {
      if (bytes.readInt16BE(4) !== PRODUCE) return 'pass';
      count += 1;
      const mine = await fate(count);
      fates.set(`${connection}:${bytes.readInt32BE(8)}`, mine);
      return mine === 'unsent' ? 'reset' : 'pass';
    }
    const name = `${connection}:${bytes.readInt32BE(4)}`;
    const mine = fates.get(name);
    fates.delete(name);
    return mine === 'unanswered' ? 'drop' : mine === 'cut' ? 'reset' : 'pass';
  };
}
