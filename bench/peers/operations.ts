import { AwakeTime } from './awake-time.ts';

/**
 * Counts what objects do that the platform bills, or that wakes them. In the bench's Worker only: the classes themselves know nothing of it.
 * Objects of one isolate share the counts.
 */
export interface Operations {
  /** Calls of the class by the platform, by `<class>.<method>`: requests, RPC, messages of sockets, alarms; `constructor` for each start or wake-up. */
  readonly calls: Record<string, number>;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** The same by `<class>: <statement>`, as far as its table. */
  readonly writes: Readonly<Record<string, number>>;
  readonly alarmsSet: number;
  /** Milliseconds in which a timer was pending in any object: an object with one cannot sleep. */
  readonly awakeMs: number;
}

const counts = { rowsRead: 0, rowsWritten: 0, alarmsSet: 0 };
const calls: Record<string, number> = {};
const writes: Record<string, number> = {};

export const readOperations = (): Operations => ({ ...counts, calls: { ...calls }, writes: { ...writes }, awakeMs: awake.total(Date.now()) });

const count = (name: string): void => {
  calls[name] = (calls[name] ?? 0) + 1;
};

/** Counts the calls of each method that the platform or another object may call. */
export function countCalls(name: string, prototype: object): void {
  for (const [method, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const { value } = descriptor;
    if (method === 'constructor' || typeof value !== 'function') continue;
    const counted = function (this: unknown, ...args: unknown[]): unknown {
      count(`${name}.${method}`);
      return Reflect.apply(value, this, args);
    };
    Object.defineProperty(prototype, method, { ...descriptor, value: counted });
  }
}

interface Storage {
  readonly sql: { exec(statement: string, ...bindings: never[]): { readonly rowsRead: number; readonly rowsWritten: number } };
  setAlarm(at: number | Date): Promise<void>;
}

/** Counts the rows of one object's storage and its alarms. A statement is counted when the next one begins, for then it has come to its end. */
export function countStorage(name: string, storage: Storage): void {
  count(`${name}.constructor`);
  const { sql } = storage;
  const exec = sql.exec.bind(sql);
  const setAlarm = storage.setAlarm.bind(storage);
  let last: { readonly title: string; readonly cursor: ReturnType<typeof exec> } | null = null;
  const countedExec: typeof exec = (statement, ...bindings) => {
    if (last !== null) countRows(last.title, last.cursor);
    const cursor = exec(statement, ...bindings);
    last = { title: `${name}: ${titleOf(statement)}`, cursor };
    return cursor;
  };
  Object.defineProperty(sql, 'exec', { value: countedExec, configurable: true });
  Object.defineProperty(storage, 'setAlarm', { value: (at: number | Date) => (counts.alarmsSet++, setAlarm(at)), configurable: true });
}

function countRows(title: string, { rowsRead, rowsWritten }: { readonly rowsRead: number; readonly rowsWritten: number }): void {
  counts.rowsRead += rowsRead;
  counts.rowsWritten += rowsWritten;
  if (rowsWritten > 0) writes[title] = (writes[title] ?? 0) + rowsWritten;
}

/** What a statement does to which table. */
const titleOf = (statement: string): string => /^\s*(?:INSERT (?:OR \w+ )?INTO|UPDATE|DELETE FROM) \w+/.exec(statement)?.[0].trim() ?? 'other';

const awake = new AwakeTime();

/** From now on timers are known, wherever they are set. */
export function countTimers(): void {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const counted = (task: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    const timer = set(() => {
      awake.end(timer, Date.now());
      task(...args);
    }, ms);
    awake.begin(timer, Date.now() + ms, Date.now());
    return timer;
  };
  Object.assign(globalThis, {
    setTimeout: counted,
    clearTimeout: (timer: Parameters<typeof clear>[0]) => {
      awake.end(timer, Date.now());
      clear(timer);
    },
  });
}
