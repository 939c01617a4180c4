import { signal } from '@preact/signals';

export interface Confirmation {
  readonly title: string;
  readonly text: string;
  /** The button that goes ahead. */
  readonly action: string;
  readonly confirmed: () => void;
}

export const confirmation = signal<Confirmation | null>(null);
