import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { jarsDirectory, jarsPresent } from './kafka/broker-jars.ts';

/** A program or directory that a part needs: where it is, or why it does not serve. */
export type Component = { readonly path: string } | { readonly missing: string };

/** What a machine may have besides Node. All of it is optional; a part that needs a missing one is left out and says so. */
export interface Components {
  /** A Java runtime of at least 17. */
  readonly java: Component;
  readonly maven: Component;
  /** The directory with the broker's jars. */
  readonly kafkaJars: Component;
  readonly redis: Component;
  readonly chromium: Component;
  readonly clamd: Component;
  /** Pools connections to Postgres. Benches alone want it. */
  readonly pgbouncer: Component;
  /** The library that gives a process another clock. Tests alone want it. */
  readonly faketime: Component;
}

const MIN_JAVA = 17;

export function isPresent(component: Component): component is { readonly path: string } {
  return 'path' in component;
}

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The first of these programs on the PATH, or in the further directories. */
export function onPath(names: readonly string[], alsoIn: readonly string[] = []): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...alsoIn];
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable);
}

const found = (path: string | undefined, missing: string): Component => (path === undefined ? { missing } : { path });

/** The major version that `java -version` prints, or null: `openjdk version "17.0.15"`, and `java version "1.8.0_402"` for 8. */
export function javaMajor(output: string): number | null {
  const match = /version "(?:1\.)?(\d+)/.exec(output);
  return match ? Number(match[1]) : null;
}

function detectJava(): Component {
  const home = process.env['JAVA_HOME'];
  const path = onPath(['java'], home ? [join(home, 'bin')] : []);
  if (path === undefined) return { missing: 'no java on the PATH' };
  // macOS has a java that only says where to get one, so a version is the proof.
  const { stderr } = spawnSync(path, ['-version'], { encoding: 'utf8', timeout: 10_000 });
  const major = javaMajor(stderr ?? '');
  if (major === null) return { missing: `${path} does not run` };
  return major < MIN_JAVA ? { missing: `${path} is Java ${major}, Kafka needs ${MIN_JAVA}` } : { path };
}

function detectChromium(): Component {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const mac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
  const given = process.env['CHROMIUM'];
  return found(given && isExecutable(given) ? given : (onPath(names) ?? (existsSync(mac) ? mac : undefined)), 'no chromium on the PATH');
}

/** Where Debian and its like keep it, a directory an architecture. */
function detectFaketime(): Component {
  const given = ['/usr/lib', '/usr/lib64'].filter(existsSync).flatMap((root) => ['', ...readdirSync(root).filter((name) => name.endsWith('-linux-gnu'))].map((name) => join(root, name)));
  return found(given.map((directory) => join(directory, 'faketime', 'libfaketime.so.1')).find(existsSync), 'no libfaketime');
}

/** Looks at this machine. Takes about 0.1 s, for asking Java its version. */
export function detect(): Components {
  const jars = jarsDirectory();
  return {
    java: detectJava(),
    maven: found(onPath(['mvn']), 'no mvn on the PATH'),
    kafkaJars: jarsPresent(jars) ? { path: jars } : { missing: `no jars in ${jars}` },
    redis: found(onPath(['redis-server']), 'no redis-server on the PATH'),
    chromium: detectChromium(),
    // Debian puts it where only root's PATH goes.
    clamd: found(onPath(['clamd'], ['/usr/sbin', '/usr/local/sbin']), 'no clamd on the PATH'),
    pgbouncer: found(onPath(['pgbouncer'], ['/usr/sbin', '/usr/local/sbin']), 'no pgbouncer on the PATH'),
    faketime: detectFaketime(),
  };
}
