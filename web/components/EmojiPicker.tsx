import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { findEmojis } from '../state/emoji.ts';
import { gridStep } from '../state/grid.ts';
import { Popover } from './Popover.tsx';

/** As the style sheet lays the grid out. */
const COLUMNS = 8;

interface Props {
  readonly anchor: RefObject<HTMLElement | null>;
  readonly onPick: (emoji: string) => void;
  readonly onClose: () => void;
}

/** Emoji by name: type to find, Enter takes the first one, arrow keys go through them. */
export function EmojiPicker({ anchor, onPick, onClose }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const query = useSignal('');
  const found = findEmojis(query.value);
  // On a touch screen the field would bring up a keyboard over the emoji.
  useLayoutEffect(() => (matchMedia('(pointer: fine)').matches ? field : grid).current?.focus(), []);
  const handleFieldKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') focusCell(grid.current, 0);
    else if (event.key === 'Enter' && found[0]) onPick(found[0].emoji);
    if (event.key === 'ArrowDown' || event.key === 'Enter') event.preventDefault();
  };
  return (
    <Popover anchor={anchor} label="Pick an emoji" class="emoji-picker" onClose={onClose}>
      <input
        ref={field}
        type="search"
        class="field"
        placeholder="Find an emoji"
        aria-label="Find an emoji"
        autocomplete="off"
        onInput={(event) => (query.value = event.currentTarget.value)}
        onKeyDown={handleFieldKey}
      />
      <div ref={grid} class="emoji-grid" role="group" aria-label="Emoji" tabIndex={-1} onKeyDown={(event) => moveInGrid(event, field.current)}>
        {found.map(({ emoji, name }, i) => (
          <button key={emoji} type="button" tabIndex={i === 0 ? 0 : -1} aria-label={name} title={name} onClick={() => onPick(emoji)}>
            {emoji}
          </button>
        ))}
      </div>
      <p class="visually-hidden" role="status">
        {query.value === '' ? '' : `${found.length} found`}
      </p>
      {found.length === 0 && <p class="hint">No emoji is called that.</p>}
    </Popover>
  );
}

function moveInGrid(event: KeyboardEvent, field: HTMLElement | null): void {
  const { currentTarget: grid, target, key } = event;
  if (!(grid instanceof HTMLElement) || !(target instanceof HTMLButtonElement)) return;
  const cells = [...grid.querySelectorAll('button')];
  const at = cells.indexOf(target);
  const to = gridStep(key, at, cells.length, COLUMNS);
  if (to === null && !(key === 'ArrowUp' && at < COLUMNS)) return;
  event.preventDefault();
  if (to === null) field?.focus();
  else cells[to]?.focus();
}

const focusCell = (grid: HTMLElement | null, at: number): void => grid?.querySelectorAll('button')[at]?.focus();
