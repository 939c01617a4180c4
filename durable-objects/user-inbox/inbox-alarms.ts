/** What an inbox's alarm is for. */
export const INBOX_ALARMS = ['drain', 'auth', 'presence'] as const;
export type InboxAlarm = (typeof INBOX_ALARMS)[number];
