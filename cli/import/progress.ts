/** How far a long job is. */
interface Step {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** Per second, over the last few seconds; 0 while unknown. */
  readonly rate: number;
}

export interface Progress {
  update(label: string, done: number, total: number): void;
  /** A line of its own, above the bar. */
  note(text: string): void;
  /** Leaves the last state standing. */
  end(): void;
}

const BAR_WIDTH = 28;
const numbers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
export const formatCount = (count: number): string => numbers.format(count);

/** `m:ss`, or `h:mm:ss` from an hour on. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, String(whole % 60).padStart(2, '0')];
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

export function formatStep(step: Step): string {
  const share = step.total === 0 ? 1 : Math.min(1, step.done / step.total);
  const left = step.rate > 0 && step.done < step.total ? `, ${formatDuration((step.total - step.done) / step.rate)} left` : '';
  const rate = step.rate > 0 ? ` ${formatCount(step.rate)}/s` : '';
  return `${step.label} ${Math.floor(share * 100)}% ${formatCount(step.done)}/${formatCount(step.total)}${rate}${left}`;
}

export function formatBar(step: Step, columns: number): string {
  const filled = Math.round(BAR_WIDTH * (step.total === 0 ? 1 : Math.min(1, step.done / step.total)));
  const [label, rest] = [step.label, formatStep({ ...step, label: '' }).trimStart()];
  return `${label} [${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] ${rest}`.slice(0, Math.max(0, columns - 1));
}

/** Rate over a sliding window of samples, so that a pause shows soon and a first burst is forgotten. */
export function createRate(windowMs: number): (at: number, done: number) => number {
  const samples: [at: number, done: number][] = [];
  return (at, done) => {
    while (samples.length > 1 && (samples[1]?.[0] ?? at) <= at - windowMs) samples.shift();
    samples.push([at, done]);
    const [firstAt, firstDone] = samples[0] ?? [at, done];
    return at > firstAt ? ((done - firstDone) * 1_000) / (at - firstAt) : 0;
  };
}

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** A bar that redraws itself on a terminal; a line every few seconds elsewhere. */
export function createProgress(out: Terminal, now: () => number = () => performance.now()): Progress {
  const everyMs = out.isTTY ? 100 : 5_000;
  let [rate, label, drawnAt] = [createRate(5_000), '', -Infinity];
  let undrawn: { done: number; total: number } | null = null;

  function draw(done: number, total: number): void {
    [drawnAt, undrawn] = [now(), null];
    const step = { label, done, total, rate: rate(drawnAt, done) };
    out.write(out.isTTY ? `\r\u001b[2K${formatBar(step, out.columns ?? 80)}` : `${formatStep(step)}\n`);
  }
  function end(): void {
    if (undrawn) draw(undrawn.done, undrawn.total);
    if (out.isTTY && drawnAt !== -Infinity) out.write('\n');
    [rate, label, drawnAt] = [createRate(5_000), '', -Infinity];
  }
  return {
    update(nextLabel, done, total) {
      if (label !== nextLabel) end();
      [label, undrawn] = [nextLabel, { done, total }];
      if (now() - drawnAt >= everyMs) draw(done, total);
    },
    note(text) {
      out.write(out.isTTY ? `\r\u001b[2K${text}\n` : `${text}\n`);
      if (undrawn) draw(undrawn.done, undrawn.total);
    },
    end,
  };
}
