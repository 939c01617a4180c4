import type { RecordSender } from '../kafka/record-sender.ts';
import { logHeaders } from '../runtime/record.ts';
import type { RecordSink } from './relay.ts';

/** The event's JSON text from Postgres is the record's value as it is. */
export function kafkaSink(sender: RecordSender): RecordSink {
  return {
    send: (rows) => sender.send(rows.map((row) => ({ topic: row.topic, key: row.key, value: row.data, headers: logHeaders(row) }))),
    close: (hard) => sender.close(hard),
  };
}
