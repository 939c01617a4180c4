import { existsSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FLEET_VARIABLES } from '../consumers/config.ts';

const dockerfile = readFileSync('ops/Dockerfile', 'utf8').replaceAll('\\\n', ' ');
const instructions = dockerfile.split('\n').flatMap((line) => {
  const [, name, rest] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? [];
  return name === undefined || rest === undefined ? [] : [{ name, rest }];
});
const all = (name: string): string[] => instructions.filter((one) => one.name === name).map(({ rest }) => rest);
/** What is copied from the repository, not from another stage. */
const copied = all('COPY').filter((rest) => !rest.startsWith('--from=')).flatMap((rest) => rest.split(/\s+/).slice(0, -1));
const argv = z.array(z.string()).parse(JSON.parse(all('CMD')[0] ?? '[]'));
const FLEET = argv.find((word) => word.endsWith('.ts')) ?? '';
const COLINK = 'cli/main.ts';

/**
 * Every file that `entry` loads, and every package, by its imports, also of modules that are loaded when they are needed. Types are erased, so `import type`
 * loads nothing. `dev` is the command of a checkout.
 */
function loadedBy(entry: string): { files: Set<string>; packages: Set<string> } {
  const [files, packages] = [new Set<string>(), new Set<string>()];
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    const later = [...text.matchAll(/import\('([^']+)'\)/g)].flatMap(([, from]) => (from === undefined || from === './dev.ts' ? [] : [['', '', from]]));
    for (const [, what = '', from = ''] of [...later, ...text.matchAll(/^(?:import|export) (?!type )(?:([^;]*?) from )?'([^']+)';/gms)]) {
      if (/^\{(?:\s*type [^,}]+,?)+\s*\}$/.test(what)) continue;
      if (from.startsWith('.')) visit(normalize(join(dirname(file), from)));
      else if (!isBuiltin(from)) packages.add(from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/'));
    }
  };
  visit(entry);
  return { files, packages };
}

const isCopied = (file: string): boolean => copied.some((path) => file === path || file.startsWith(`${path}/`));

describe('ops/Dockerfile', () => {
  it('copies only what there is, and what its ignore file lets through', () => {
    const let_through = readFileSync('ops/Dockerfile.dockerignore', 'utf8').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
    expect([...new Set(copied)].toSorted()).toEqual(let_through.toSorted());
  });

  it.each([[FLEET, 50], [COLINK, 60]])('has every file that %s loads', (entry, least) => {
    const { files } = loadedBy(entry);
    expect(files.size).toBeGreaterThan(least);
    expect([...files].filter((file) => !isCopied(file) || /\.(?:test|fixture|contract)\.ts$/.test(file))).toEqual([]);
  });

  it.each([FLEET, COLINK])('installs every package that %s loads, without those of development', (entry) => {
    const { dependencies } = z.object({ dependencies: z.record(z.string(), z.string()) }).parse(JSON.parse(readFileSync('package.json', 'utf8')));
    expect([...loadedBy(entry).packages].filter((name) => !(name in dependencies))).toEqual([]);
    expect(all('RUN').some((command) => command.startsWith('npm ci --omit=dev'))).toBe(true);
  });

  it('has all that the process of an image loads, too', () => {
    const { files, packages } = loadedBy('consumers/file-scanner/thumbnail-main.ts');
    expect([...files].filter((file) => !isCopied(file))).toEqual([]);
    expect([...packages].toSorted()).toEqual(['sharp', 'zod']);
  });

  it('runs as somebody who is not root', () => {
    expect(all('USER').map((user) => user.split(':').map(Number))).toEqual([[1_000, 1_000]]);
  });

  it('has Node itself for its first process, so that SIGTERM reaches it, and starts what the README starts', () => {
    expect(all('ENTRYPOINT')).toEqual(['[]']);
    expect(argv[0]).toBe('node');
    expect(FLEET).toBe('consumers/main.ts');
    expect(readFileSync('README.md', 'utf8')).toContain(`node ${argv.slice(argv.indexOf(FLEET)).join(' ')}`);
  });

  it('has `colink` for a command, which starts by itself', () => {
    expect(all('RUN')).toContain(`ln -s /app/${COLINK} /usr/local/bin/colink`);
    expect(readFileSync(COLINK, 'utf8')).toMatch(/^#!\/usr\/bin\/env -S node /);
    expect(statSync(COLINK).mode & 0o111).toBe(0o111);
  });

  it('sets variables that the fleet knows, and asks /ready at the port it sets', () => {
    const set = Object.fromEntries(all('ENV').flatMap((rest) => rest.split(/\s+/)).map((pair) => pair.split('=') as [string, string]));
    expect(Object.keys(set).filter((name) => name !== 'NODE_ENV' && !FLEET_VARIABLES.includes(name))).toEqual([]);
    expect(all('EXPOSE')).toEqual([set['PORT']]);
    expect(all('HEALTHCHECK')[0]).toContain('http://127.0.0.1:${process.env.PORT}/ready');
  });
});
