/** What a room's alarm is for. `net`: what an instance has not come to the end of. */
export const ROOM_ALARMS = ['drain', 'auth', 'nodes', 'sweep', 'net'] as const;
export type RoomAlarm = (typeof ROOM_ALARMS)[number];
