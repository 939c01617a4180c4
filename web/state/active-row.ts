import { signal } from '@preact/signals';

/** The message whose actions show: under the mouse, or with the focus. `<is in thread> <message id>`. */
export const activeRow = signal<string | null>(null);
