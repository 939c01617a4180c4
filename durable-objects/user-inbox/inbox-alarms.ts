/** What an inbox's alarm is for. `net`: what an instance has not come to the end of. */
export const INBOX_ALARMS = ['drain', 'auth', 'presence', 'net'] as const;
export type InboxAlarm = (typeof INBOX_ALARMS)[number];
