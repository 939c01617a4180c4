/** The world a client runs in, injected so that browsers, Node and tests share every other line. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs `task` once after `ms` milliseconds; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/** The part of the standard `WebSocket` a client needs; the `ws` package and Node's own have it too. */
export interface WebSocketLike {
  binaryType: string;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  addEventListener(type: 'error', listener: () => void): void;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** Opens a socket. Where it brings its own `Authorization` header, no ticket is needed. */
export type OpenSocket = (url: string, protocols: string[]) => WebSocketLike;

/** Small durable strings. A rejection costs their durability, nothing else. */
export interface KeyValueStore {
  entries(prefix: string): Promise<[key: string, value: string][]>;
  set(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Which of several pages of one user, or runs of one program, a message belongs to until it is sent. */
export interface Owner {
  /** This page's own. */
  readonly id: string;
  /** Runs `take` if the owner of that id is gone, and nobody else inherits from it at the moment. */
  inherit(ownerId: string, take: () => Promise<void>): Promise<void>;
}

/** For a program that has its store for itself: whatever it finds there was left by an earlier run. */
export const soleOwner: Owner = { id: '', inherit: (_, take) => take() };

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/** 128 random bits in hex. Not `crypto.randomUUID`: browsers have that in secure contexts only. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
