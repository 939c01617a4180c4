import { type AuditHead, type AuditRow, NO_AUDIT_HEAD } from '../protocol/audit.ts';
import { encodeText } from './bytes.ts';

const VERSION = 'colink.audit.v1';

/** One field: its length in bytes, a colon, its bytes; `-` for none. As `audit_field` in Postgres. */
const fieldOf = (value: string | null): string => (value === null ? '-' : `${encodeText(value).length}:${value}`);

/** What `hash` is the SHA-256 of: all of the row but the hash itself. */
export function auditBytes(row: Omit<AuditRow, 'hash'>): Uint8Array {
  const { seq, at, act, actor_id, actor_name, credential_id, target_kind, target_id, details, request_id, previous_hash } = row;
  const fields = [previous_hash, String(seq), at, act, actor_id, actor_name, credential_id, target_kind, target_id, details, request_id];
  return encodeText(VERSION + fields.map(fieldOf).join(''));
}

/** Where a chain breaks first: a row that was changed, put in or moved, or the number of one that is missing. */
export interface ChainFault {
  readonly seq: number;
  readonly what: string;
}

export interface ChainReport {
  readonly head: AuditHead;
  /** Null: every row is the one that was sealed there. */
  readonly fault: ChainFault | null;
}

interface ChainOptions {
  /** Hexadecimal. */
  sha256(bytes: Uint8Array): string;
  /** A head of an earlier day, kept elsewhere: whoever rewrites the whole chain, or cuts off its end, cannot rewrite that. */
  readonly kept: AuditHead;
}

/** Recomputes a chain from its first row on. `head`: the last row that is right. */
export async function verifyChain(pages: AsyncIterable<readonly AuditRow[]>, { sha256, kept }: ChainOptions): Promise<ChainReport> {
  let head = NO_AUDIT_HEAD;
  for await (const page of pages) {
    for (const row of page) {
      const what = faultOf(row, head, sha256) ?? (row.seq === kept.seq && row.hash !== kept.hash ? 'is not the row of the head that was kept' : null);
      if (what !== null) return { head, fault: { seq: Math.min(row.seq, head.seq + 1), what } };
      head = { seq: row.seq, hash: row.hash };
    }
  }
  return { head, fault: head.seq < kept.seq ? { seq: head.seq + 1, what: `is missing: the head that was kept is ${kept.seq}` } : null };
}

function faultOf(row: AuditRow, head: AuditHead, sha256: ChainOptions['sha256']): string | null {
  if (row.seq !== head.seq + 1) return row.seq > head.seq + 1 ? `is missing: the next there is is ${row.seq}` : 'is there twice';
  if (row.previous_hash !== head.hash) return 'does not follow the row before it';
  return sha256(auditBytes(row)) === row.hash ? null : 'was changed: its hash is another';
}
