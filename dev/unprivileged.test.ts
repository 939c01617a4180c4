import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { closedDirectory, openTwin, serviceUser } from './unprivileged.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'colink-test-'));
  await chmod(directory, 0o755);
  await mkdir(join(directory, 'home', 'checkout'), { recursive: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const stranger = { uid: 64_000, gid: 64_000 };

test('names the directory that keeps a stranger out', async () => {
  const home = join(directory, 'home');
  expect(await closedDirectory(join(home, 'checkout'), stranger)).toBeNull();
  await chmod(home, 0o700);
  expect(await closedDirectory(join(home, 'checkout', 'not-yet-there'), stranger)).toBe(home);
});

test('keeps in who owns a directory, alone or by group', async () => {
  const home = join(directory, 'home');
  const { uid, gid } = await stat(home);
  await chmod(home, 0o710);
  expect(await closedDirectory(home, { uid, gid: 64_000 })).toBeNull();
  expect(await closedDirectory(home, { uid: 64_000, gid })).toBeNull();
  expect(await closedDirectory(home, stranger)).toBe(home);
});

test('nothing is closed where services run as the process itself', async () => {
  await chmod(join(directory, 'home'), 0o700);
  expect(await closedDirectory(join(directory, 'home'), null)).toBeNull();
});

test('the stand-in of a path is open, and the same each time', async () => {
  const twin = await openTwin(directory);
  expect(await openTwin(directory)).toBe(twin);
  expect(await closedDirectory(twin, stranger)).toBeNull();
  expect(dirname(twin)).not.toContain(directory);
  await rm(twin, { recursive: true });
});

test.runIf(process.getuid?.() === 0)('root has services run as somebody else', () => {
  expect(serviceUser()?.uid).not.toBe(0);
});
