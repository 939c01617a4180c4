import type { ReadonlySignal } from '@preact/signals';

interface Properties {
  /** Why it was refused last; null: it was not. */
  readonly problem: ReadonlySignal<string | null>;
  readonly isDisabled: boolean;
  /** What the form does, on its button. */
  readonly action: string;
  readonly tone?: 'primary' | 'danger';
  readonly onCancel: () => void;
}

/** How the form of a dialog ends: with why it was refused, a way out, and the button that sends it. */
export function FormEnd({ problem, isDisabled, action, tone = 'primary', onCancel }: Properties) {
  return (
    <>
      {problem.value !== null && (
        <p class="form-problem" role="alert">
          {problem.value}
        </p>
      )}
      <div class="button-row end">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button class={`button ${tone}`} disabled={isDisabled}>
          {action}
        </button>
      </div>
    </>
  );
}
