import type { KeyValueStore } from '../ports.ts';

const TABLE = 'values';
/** A browser may take for ever to open a database, such as one that another version of the page holds. */
const OPEN_WITHIN_MS = 3_000;

/** Strings in an IndexedDB database of that name. Where the browser has none to give, its calls are rejected. */
export function indexedDbStore(name: string, factory: IDBFactory = indexedDB): KeyValueStore {
  let opened: Promise<IDBDatabase> | null = null;
  const database = async (): Promise<IDBDatabase> => {
    opened ??= open(factory, name);
    return opened.catch((error: unknown) => {
      opened = null;
      throw error;
    });
  };
  const run = async <T>(mode: IDBTransactionMode, use: (table: IDBObjectStore) => T): Promise<T> => {
    const transaction = (await database()).transaction(TABLE, mode);
    const used = use(transaction.objectStore(TABLE));
    await done(transaction);
    return used;
  };
  return {
    async entries(prefix) {
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      const [keys, values] = await run('readonly', (table) => [table.getAllKeys(range), table.getAll(range)] as const);
      return keys.result.map((key, index) => [String(key), String(values.result[index])]);
    },
    set: async (key, value) => void (await run('readwrite', (table) => table.put(value, key))),
    remove: async (key) => void (await run('readwrite', (table) => table.delete(key))),
  };
}

/** A write is done when its transaction is, not when its request is. */
function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    for (const failure of ['abort', 'error']) transaction.addEventListener(failure, () => reject(transaction.error ?? new Error('The database refused')));
  });
}

function open(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, 1);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(TABLE));
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error));
    setTimeout(() => reject(new Error('The database did not open')), OPEN_WITHIN_MS);
  });
}
