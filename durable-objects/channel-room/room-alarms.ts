/** What a room's alarm is for. */
export const ROOM_ALARMS = ['drain', 'auth', 'nodes', 'sweep'] as const;
export type RoomAlarm = (typeof ROOM_ALARMS)[number];
