import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { clamdAt } from '../consumers/file-scanner/clamd.ts';
import { type Child, startChild, untilReady } from './child.ts';
import { closedDirectory, openTwin, serviceUser } from './unprivileged.ts';

const START_TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;

/** The test file that every scanner knows (EICAR). In two parts, so that scanners leave these sources alone. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');
/** As clamd says it: what is no part of its own databases is `UNOFFICIAL`. */
export const EICAR_SIGNATURE = 'Colink.Test.EICAR.UNOFFICIAL';

export interface ClamdOptions {
  readonly command: string;
  /** Holds configuration, signatures and temporary files, as far as clamd may enter there. */
  readonly dataDir: string;
  readonly port: number;
  readonly logFile: string;
  /** Largest content it takes, in bytes (default 100 MiB). */
  readonly maxBytes?: number;
}

/**
 * Starts clamd on loopback, as `nobody` where this is root, with one signature: EICAR's. It is there in a moment and in 20 MB, where the real
 * databases take a minute and more than a gigabyte, so it finds nothing else.
 */
export async function startClamd(options: ClamdOptions): Promise<Child> {
  const directory = await prepare(options);
  const config = join(directory, 'clamd.conf');
  await writeFile(config, configuration(directory, options));
  const child = await startChild({ command: options.command, args: ['-c', config], logFile: options.logFile, graceMs: 3_000 });
  const clamd = clamdAt({ host: '127.0.0.1', port: options.port });
  await untilReady(child, () => clamd.ping(AbortSignal.timeout(2_000)), START_TIMEOUT_MS);
  return child;
}

async function prepare({ dataDir }: ClamdOptions): Promise<string> {
  const user = serviceUser();
  const wanted = resolve(dataDir);
  await mkdir(wanted, { recursive: true });
  const directory = (await closedDirectory(wanted, user)) === null ? wanted : await openTwin(wanted);
  await mkdir(join(directory, 'signatures'), { recursive: true });
  await mkdir(join(directory, 'temporary'), { recursive: true });
  if (user !== null) await chown(join(directory, 'temporary'), user.uid, user.gid);
  await writeFile(join(directory, 'signatures', 'colink.ndb'), `Colink.Test.EICAR:0:0:${Buffer.from(EICAR).toString('hex')}\n`);
  return directory;
}

function configuration(directory: string, { port, maxBytes = 100 * MIB }: ClamdOptions): string {
  return [
    'Foreground yes',
    ...(serviceUser() === null ? [] : ['User nobody']),
    'TCPAddr 127.0.0.1',
    `TCPSocket ${port}`,
    `DatabaseDirectory ${join(directory, 'signatures')}`,
    `TemporaryDirectory ${join(directory, 'temporary')}`,
    `StreamMaxLength ${maxBytes}`,
    `MaxFileSize ${maxBytes}`,
    `MaxScanSize ${4 * maxBytes}`,
    // What its limits leave out is no clean file.
    'AlertExceedsMax yes',
    '',
  ].join('\n');
}
