/** Ties a cursor to its query (FNV-1a, 32 bits): against mistakes, not against malice, which gains nothing here. */
export function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(36);
}
