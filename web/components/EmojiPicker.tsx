import { useEffect, useRef } from 'preact/hooks';

const EMOJIS = [
  ['👍', 'thumbs up'],
  ['❤️', 'heart'],
  ['😂', 'laughing'],
  ['🎉', 'party'],
  ['😮', 'surprised'],
  ['😢', 'sad'],
  ['👀', 'eyes'],
  ['✅', 'done'],
  ['🙏', 'thank you'],
  ['🔥', 'fire'],
  ['👎', 'thumbs down'],
  ['🚀', 'rocket'],
] as const;

export function EmojiPicker({ onPick, onClose }: { onPick: (emoji: string) => void; onClose: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => ref.current?.querySelector('button')?.focus(), []);
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    onClose();
  };
  return (
    <div ref={ref} class="emoji-picker" role="group" aria-label="Reactions" onKeyDown={handleKey}>
      {EMOJIS.map(([emoji, name]) => (
        <button key={emoji} type="button" aria-label={name} title={name} onClick={() => onPick(emoji)}>
          {emoji}
        </button>
      ))}
    </div>
  );
}
