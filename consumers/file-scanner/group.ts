import type postgres from 'postgres';
import { requestScans, withdrawScans } from '../../db/queries/file-scans.ts';
import { type FileEvent, fileEventSchema } from '../../protocol/file-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { ConsumerGroup } from '../runtime/group.ts';

/**
 * Has every file scanned that was uploaded. A scan takes seconds, so it is asked for in the batch's transaction and made outside of it
 * (`docs/decisions/0038-files-are-scanned-beside-the-batch.md`): an event that comes again finds its scan asked for, or made.
 */
export const fileScanner: ConsumerGroup<FileEvent> = {
  id: 'file-scanner',
  topics: ['file.events'],
  types: new Set([ceType('file.uploaded'), ceType('file.deleted')]),
  schema: fileEventSchema,
  apply: (tx, events) => queueScans(tx, events.map(({ event }) => event)),
};

async function queueScans(tx: postgres.TransactionSql, events: readonly FileEvent[]): Promise<void> {
  const idsOf = (type: FileEvent['type']): string[] => events.filter((event) => event.type === type).map(({ file }) => file.id);
  await requestScans(tx, idsOf('file.uploaded'));
  await withdrawScans(tx, idsOf('file.deleted'));
}
