import { isPresent, type Components } from './components.ts';

export type TransportWish = 'auto' | 'kafka' | 'embedded';

/** How events travel from Postgres to the consumer groups, and why so. */
export type TransportChoice =
  | { readonly kind: 'given'; readonly brokers: readonly string[]; readonly why: string }
  /** A broker of our own; `wanted`: nothing else will do. */
  | { readonly kind: 'own'; readonly wanted: boolean; readonly why: string }
  | { readonly kind: 'embedded'; readonly why: string };

/**
 * Brokers that are given go first, then one of our own, then the embedded transport.
 * @throws if Kafka is asked for and cannot be had.
 */
export function chooseTransport(wish: TransportWish, givenBrokers: string | undefined, components: Pick<Components, 'java' | 'maven' | 'kafkaJars'>): TransportChoice {
  if (wish === 'embedded') return { kind: 'embedded', why: 'asked for' };
  const brokers = (givenBrokers ?? '').split(',').map((broker) => broker.trim()).filter((broker) => broker !== '');
  if (brokers.length > 0) return { kind: 'given', brokers, why: 'KAFKA_BROKERS is set' };
  const missing = whyNoBroker(components);
  if (missing === null) return { kind: 'own', wanted: wish === 'kafka', why: wish === 'kafka' ? 'asked for' : 'a broker can run here' };
  if (wish === 'kafka') throw new Error(`no Kafka: ${missing}`);
  return { kind: 'embedded', why: `no Kafka: ${missing}` };
}

/** What a broker of our own lacks here, or null. */
export function whyNoBroker({ java, maven, kafkaJars }: Pick<Components, 'java' | 'maven' | 'kafkaJars'>): string | null {
  if (!isPresent(java)) return java.missing;
  return isPresent(kafkaJars) || isPresent(maven) ? null : `${kafkaJars.missing}, and ${maven.missing}`;
}
