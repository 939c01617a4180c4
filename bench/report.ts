/** The bound of a bar: the least a value may be, or the most. */
export type Bound = { readonly at_least: number } | { readonly at_most: number };

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** In words, such as `>= 0.35`. */
  readonly bound: string;
  readonly holds: boolean;
}

/** What a bench found. Figures carry their unit in the name (`send_per_s`, `resume_ms`); ratios have none. */
export interface BenchResult {
  readonly bench: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly bars: readonly Bar[];
}

/** A value that is no number (nothing was measured) holds no bar. */
export function bar(name: string, value: number, bound: Bound): Bar {
  const [sign, limit] = 'at_least' in bound ? ['>=', bound.at_least] : ['<=', bound.at_most];
  const holds = 'at_least' in bound ? value >= limit : value <= limit;
  return { name, value: rounded(value), bound: `${sign} ${limit}`, holds };
}

/** A bar that a thing either clears or not, such as a count that must be exact. */
export const exact = (name: string, value: number, expected: number): Bar => ({
  name,
  value,
  bound: `= ${expected}`,
  holds: value === expected,
});

/** Three significant digits below a thousand, whole numbers above: more is noise. */
export function rounded(value: number): number {
  if (!Number.isFinite(value)) return value;
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(3));
}

export const roundedAll = (values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded(value)]));

/** One line of JSON. A value that was not measured is null there. */
export const toJsonLine = (result: BenchResult): string => JSON.stringify(result);

export function toTable(result: BenchResult): string {
  const rows = [...Object.entries(result.figures), ...Object.entries(result.ratios).map(([name, value]) => [`${name} (ratio)`, value] as const)];
  const width = Math.max(...rows.map(([name]) => name.length), ...result.bars.map(({ name }) => name.length));
  const line = (name: string, value: number, rest = ''): string => `  ${name.padEnd(width)}  ${formatValue(value).padStart(10)}${rest}`;
  return [
    result.bench,
    ...rows.map(([name, value]) => line(name, value)),
    'bars',
    ...result.bars.map(({ name, value, bound, holds }) => line(name, value, `  ${bound.padEnd(10)} ${holds ? 'holds' : 'FAILS'}`)),
  ].join('\n');
}

const formatValue = (value: number): string => (Number.isFinite(value) ? value.toLocaleString('en-US', { maximumFractionDigits: 3 }) : 'none');
