import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const SOURCES = ['web', 'client', 'protocol'];

function newest(directory: string): number {
  if (!existsSync(directory)) return 0;
  const times = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/[/\\](dist|node_modules)([/\\]|$)/.test(entry.parentPath))
    .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs);
  return Math.max(0, ...times);
}

/** Builds the page if it is missing or older than its sources. Resolves to a line on what was done; a page that does not build is no reason to stop. */
export async function buildPage(root: string): Promise<string> {
  const built = join(root, 'web', 'dist', 'index.html');
  // The Worker's bundler wants the directory.
  mkdirSync(dirname(built), { recursive: true });
  if (!existsSync(join(root, 'web', 'index.html'))) return 'no page: web/index.html is missing';
  const builtAt = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (SOURCES.every((folder) => newest(join(root, folder)) < builtAt)) return 'page up to date';
  const since = performance.now();
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js');
  try {
    await promisify(execFile)(process.execPath, [vite, 'build', 'web', '--logLevel', 'error'], { cwd: root });
    return `page built in ${((performance.now() - since) / 1_000).toFixed(1)} s`;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    return `the page does not build: ${(stderr || String(error)).trim().split('\n')[0]}`;
  }
}
