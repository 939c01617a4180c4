import { createHmac } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { UNSUBSCRIBE_PURPOSE } from '../../protocol/email.ts';
import { type DigestMail, renderDigest } from './digest-mail.ts';
import { HostBreakers } from './host-breakers.ts';
import type { NotificationSender, Verdict } from './port.ts';

/** How mails leave. `url`: `smtp:` or `smtps:`, with a user and a password where one is asked; `from`: an address, with a name or without. */
export interface SmtpSettings {
  readonly url: string;
  readonly from: string;
  /** Of the page, without a slash at its end. */
  readonly baseUrl: string;
  /** Whether words go without TLS where the server offers none: development, or a relay of this machine. */
  readonly plain: boolean;
  /** Signs the links by which digests are ended: what the Worker has as `FLEET_TOKEN`. */
  readonly secret: string;
}

const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 15_000, dnsTimeout: 5_000 };

/** Of `UNSUBSCRIBE_TOKEN`. */
export const unsubscribeToken = (secret: string, userId: string): string => `${userId}.${createHmac('sha256', secret).update(UNSUBSCRIBE_PURPOSE + userId).digest('base64url')}`;

/** Sends digests by SMTP. The `Message-ID` is the digest's, so a mail that comes twice is known by it. */
export function smtpSender(settings: SmtpSettings): NotificationSender<DigestMail> {
  const transport = createTransport({ url: settings.url, requireTLS: !settings.plain, disableFileAccess: true, disableUrlAccess: true, ...TIMEOUTS });
  const breakers = new HostBreakers();
  return {
    channel: 'email',
    send: (mail, signal) => breakers.ask('smtp', () => untilAbort(signal, transport.sendMail(messageOf(mail, settings)).then((): Verdict => ({ kind: 'sent' }), judge))),
  };
}

function messageOf({ id, userId, address, notices }: DigestMail, { from, baseUrl, secret }: SmtpSettings) {
  const unsubscribeUrl = `${baseUrl}/unsubscribe/${unsubscribeToken(secret, userId)}`;
  return {
    from,
    // Not parsed as a list of addresses.
    to: { name: '', address },
    messageId: `<${id}@${new URL(baseUrl).hostname}>`,
    ...renderDigest(notices, { baseUrl, unsubscribeUrl }),
    headers: { 'List-Unsubscribe': `<${unsubscribeUrl}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click', 'Auto-Submitted': 'auto-generated' },
  };
}

/** What it was about when a server refused: only the recipient's and the message's own refusals are of this mail, all else is of the server, or of how we are known to it. */
export function judge(error: unknown): Verdict {
  const { command, responseCode } = fieldsOf(error);
  const isOurs = command === 'RCPT TO' || command === 'DATA';
  if (isOurs && responseCode !== null && responseCode >= 500) return { kind: 'refused', cause: String(responseCode) };
  return { kind: 'later', cause: isOurs && responseCode !== null ? 'busy' : 'away', afterMs: null };
}

function fieldsOf(error: unknown): { readonly command: string | null; readonly responseCode: number | null } {
  if (!(error instanceof Error)) return { command: null, responseCode: null };
  const command = 'command' in error && typeof error.command === 'string' ? error.command : null;
  return { command, responseCode: 'responseCode' in error && typeof error.responseCode === 'number' ? error.responseCode : null };
}

/** A mail under way cannot be called back; whoever ends does not wait for what becomes of it. */
function untilAbort(signal: AbortSignal, work: Promise<Verdict>): Promise<Verdict> {
  const ended = new Promise<Verdict>((resolve) => {
    const end = (): void => resolve({ kind: 'later', cause: 'held', afterMs: null });
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
  });
  return Promise.race([work, ended]);
}
