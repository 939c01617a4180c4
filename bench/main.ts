import { parseArgs } from 'node:util';
import { benchApi } from './api.ts';
import { benchFanout } from './fanout.ts';
import { benchFreshness } from './freshness.ts';
import { benchIdle } from './idle.ts';
import { benchIndex } from './indexing.ts';
import { benchRelay } from './relay.ts';
import { toJsonLine, toTable, type BenchResult } from './report.ts';
import { benchRecover } from './recover.ts';
import { benchResume } from './resume.ts';
import { benchSend } from './send.ts';
import { type BenchOptions, SAMPLE } from './stack.ts';
import { benchStorm } from './storm.ts';
import { benchSweep } from './sweep.ts';
import { benchTree } from './tree.ts';

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  send: benchSend,
  api: benchApi,
  resume: benchResume,
  freshness: benchFreshness,
  relay: benchRelay,
  index: benchIndex,
  recover: benchRecover,
  fanout: benchFanout,
  storm: benchStorm,
  idle: benchIdle,
  tree: benchTree,
  sweep: benchSweep,
};

/** `npm run bench -- <name> [--json] [--texts <log>]`. The last line is the result as JSON; exit code 1 where a bar does not hold, 2 for a wrong call. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false }, texts: { type: 'string', default: SAMPLE } } });
  const bench = BENCHES[positionals[0] ?? ''];
  if (!bench || positionals.length > 1) {
    console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json] [--texts <log>]`);
    return 2;
  }
  const result = await bench({ log: (line) => console.error(line), texts: values.texts });
  if (!values.json) console.log(toTable(result));
  console.log(toJsonLine(result));
  return result.bars.every(({ holds }) => holds) ? 0 : 1;
}

process.exitCode = await main();
