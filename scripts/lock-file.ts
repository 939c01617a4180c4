import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/**
 * Keeps package-lock.json usable everywhere. A registry mirror may not have the binaries of other platforms yet; npm then leaves them
 * out of the lock file, and `npm ci` refuses it (npm 11, 2026-11). `node scripts/lock-file.ts` writes the missing entries: their version is
 * pinned by the package that wants them, their platform is in their name.
 */
const LOCK = 'package-lock.json';

const entrySchema = z.looseObject({
  version: z.string().optional(),
  resolved: z.string().optional(),
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const lockSchema = z.looseObject({ packages: z.record(z.string(), entrySchema) });
type Lock = z.infer<typeof lockSchema>;
type Entry = z.infer<typeof entrySchema>;

interface Missing {
  readonly path: string;
  readonly entry: Entry;
}

const OS: Record<string, string> = { win32: 'win32', windows: 'win32' };
const SYSTEMS = new Set(['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'aix', 'win32', 'windows']);
const CPU: Record<string, string> = { '64': 'x64' };
const CPUS = new Set(['arm64', 'arm', 'ia32', 'x64', '64', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']);

/** The platform that a binary package names, such as `@oxlint/binding-linux-x64-musl`. */
function platformOf(name: string): { os?: string[]; cpu?: string[]; libc?: string[] } {
  const parts = name.split(/[/-]/);
  const os = parts.find((part) => SYSTEMS.has(part));
  const cpu = parts.find((part) => CPUS.has(part));
  const libc = parts.includes('musl') ? 'musl' : parts.includes('gnu') && os === 'linux' ? 'glibc' : undefined;
  return { ...(os && { os: [OS[os] ?? os] }), ...(cpu && { cpu: [CPU[cpu] ?? cpu] }), ...(libc && { libc: [libc] }) };
}

/** Binary packages that are wanted and not in the lock file. Only exactly pinned ones: a range belongs to npm. */
function missingBinaries({ packages }: Lock): Missing[] {
  return Object.entries(packages).flatMap(([parent, { dev, optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name, version]) => /^\d/.test(version) && packages[`node_modules/${name}`] === undefined && packages[`${parent}/node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ path: `node_modules/${name}`, entry: { version, ...platformOf(name), ...(dev && { dev }), optional: true } })),
  );
}

const readLock = (): Lock => lockSchema.parse(JSON.parse(readFileSync(LOCK, 'utf8')));

/** What is wrong with the lock file, a line each. */
export function lockFileFaults(): string[] {
  const lock = readLock();
  return [
    ...missingBinaries(lock).map(({ path }) => `${path} is missing: node scripts/lock-file.ts`),
    ...Object.entries(lock.packages).flatMap(([path, { resolved }]) => (resolved?.startsWith('http') ? [`${path} records a download address`] : [])),
  ];
}

if (import.meta.main) {
  const lock = readLock();
  for (const { path, entry } of missingBinaries(lock)) lock.packages[path] = entry;
  const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(LOCK, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
}
