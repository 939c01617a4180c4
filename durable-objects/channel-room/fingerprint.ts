/**
 * 53 bits (a safe integer) of what a `client_msg_id` stands for: tells a repeated send from another one under the same id. Not
 * cryptographic: who forges a collision only deceives themselves.
 */
export function fingerprint(text: string, threadId: string | null): number {
  const source = `${threadId ?? ''}\n${text}`;
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let index = 0; index < source.length; index++) {
    const unit = source.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}
