/** 53 bits (a safe integer) of a text. Not cryptographic: who forges a collision must only deceive themselves. */
export function hash53(text: string): number {
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 0x9e3779b1);
    high = Math.imul(high ^ unit, 0x5f356495);
  }
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}

/** What a `client_msg_id` stands for: tells a repeated send from another one under the same id. */
export const fingerprint = (text: string, threadId: string | null, fileIds: readonly string[] = []): number =>
  hash53(`${threadId ?? ''}\n${text}${fileIds.map((id) => `\n${id}`).join('')}`);
