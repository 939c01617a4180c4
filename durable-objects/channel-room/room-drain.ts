import type { Alarms } from '../alarms.ts';
import type { DrainStep } from '../log/drain.ts';
import { LogDrain, type LogDrainPorts, type LogStore } from '../log/log-drain.ts';
import type { Conversation } from './conversation.ts';
import type { RoomAlarm } from './room-alarms.ts';
import type { RoomMetrics } from './room-metrics.ts';
import type { RoomRecord } from './room-record.ts';

export interface RoomDrainPorts extends Omit<LogDrainPorts, 'observe' | 'setAlarm' | 'clearAlarm'> {
  readonly alarms: Alarms<RoomAlarm>;
  readonly record: RoomRecord;
}

/** The drain of a room's log. */
export function roomDrain({ log, channelId }: Conversation, metrics: RoomMetrics, ports: RoomDrainPorts): LogDrain {
  return new LogDrain(log, storeOf(ports.record, channelId), {
    ...ports,
    setAlarm: (at) => ports.alarms.arm('drain', at),
    clearAlarm: () => ports.alarms.clear('drain'),
    observe: (step) => count(metrics, step),
  });
}

const storeOf = (record: RoomRecord, channelId: string): LogStore => ({
  drainBatch: (claim, ...batch) => record.drainBatch({ channelId, ...claim }, ...batch),
  skipPoison: (claim, event, error) => record.skipPoison({ channelId, ...claim }, event, error),
  isDataFault: (error) => record.isDataFault(error),
  findPlace: () => record.findLogPlace(channelId),
  move: (found, to) => record.moveLog({ channelId, found, ...to }),
  keepForked: (epoch, events) => record.keepForkedEvents(channelId, epoch, events),
});

function count(metrics: RoomMetrics, step: DrainStep): void {
  if (step.kind === 'drained') return metrics.count('colink_room_events_drained_total', step.events);
  if (step.kind === 'skipped') metrics.count('colink_room_poison_events_total');
  if (step.kind === 'narrowed') return;
  metrics.count('colink_room_drain_failures_total', 1, { kind: step.kind === 'refused' ? step.status : step.kind });
}
