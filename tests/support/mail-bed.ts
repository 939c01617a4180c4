import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** By name in lower case, unfolded. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  readonly html: string;
}

/** A mail server, by real SMTP. */
export class MailServer {
  readonly received: ReceivedMail[] = [];
  /** Refuses a recipient, or a message, with this status; null: it takes it. */
  refuse: (at: 'recipient' | 'message', nth: number) => number | null | Promise<number | null> = () => null;
  #nth = 0;
  #port = 0;
  readonly #server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onRcptTo: (_address, _session, done) => void this.#answer('recipient', done),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        this.#nth += 1;
        const { mailFrom, rcptTo } = session.envelope;
        this.received.push({ from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address), ...parsed(Buffer.concat(chunks).toString('latin1')) });
        void this.#answer('message', done);
      });
    },
  });

  static async listen(port = 0): Promise<MailServer> {
    const server = new MailServer();
    // Clients that are killed reset their connections.
    server.#server.on('error', () => {});
    await new Promise<void>((resolve) => server.#server.listen(port, '127.0.0.1', resolve));
    server.#port = (server.#server.server.address() as AddressInfo).port;
    return server;
  }

  async #answer(at: 'recipient' | 'message', done: (error?: Error | null) => void): Promise<void> {
    const status = await this.refuse(at, this.#nth);
    done(status === null ? null : Object.assign(new Error('it is refused'), { responseCode: status }));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function parsed(raw: string): Pick<ReceivedMail, 'headers' | 'text' | 'html'> {
  const { headers, body } = partOf(raw);
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '') ?? [];
  const parts = body.split(`--${boundary}`).slice(1, -1).map((part) => partOf(part.replace(/^\r\n/, '')));
  const bodyOf = (type: string): string => {
    const part = parts.find((one) => one.headers.get('content-type')?.startsWith(type));
    if (part === undefined) throw new Error(`there is no ${type}`);
    return decoded(part.body, part.headers.get('content-transfer-encoding') ?? '').replaceAll('\r\n', '\n').trim();
  };
  return { headers, text: bodyOf('text/plain'), html: bodyOf('text/html') };
}

function partOf(raw: string): { readonly headers: Map<string, string>; readonly body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw.slice(0, end).replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  return { headers: new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])), body: raw.slice(end + 4) };
}

function decoded(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return Buffer.from(body, 'latin1').toString('utf8');
  const bytes = body.replaceAll('=\r\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
