/** ArrowUp and ArrowDown go from message to message, once one has the focus. */
export function moveFocus(event: KeyboardEvent): void {
  const { target, currentTarget } = event;
  if (!(target instanceof HTMLElement) || !(currentTarget instanceof HTMLElement) || !target.matches('[data-message]')) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step === undefined) return;
  const all = [...currentTarget.querySelectorAll<HTMLElement>('[data-message]')];
  const next = all[all.indexOf(target) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

const STOPS = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), [tabindex="0"]';

/** Tab goes round: from the last stop to the first, and back. (A modal dialog alone lets it out to the browser's own buttons.) */
export function keepFocusInside(event: KeyboardEvent): void {
  const { currentTarget: box } = event;
  if (event.key !== 'Tab' || !(box instanceof HTMLElement)) return;
  const stops = [...box.querySelectorAll<HTMLElement>(STOPS)].filter((stop) => stop.tabIndex >= 0 && stop.checkVisibility());
  const [leaving, entered] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
  if (document.activeElement !== leaving) return;
  event.preventDefault();
  entered?.focus();
}
