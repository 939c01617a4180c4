import { Fragment } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { MAX_QUERY } from '../../protocol/limits.ts';
import { stores } from '../state/account.ts';
import { shortDay, timeOf } from '../state/dates.ts';
import { type SearchHit, goTo, query, queryHints, results, searchAsked, searchMore } from '../state/search.ts';
import { saidAt } from '../state/rows.ts';
import { closePanel } from '../state/side-panel.ts';
import { displayName } from '../state/users.ts';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';
import { MarkedText } from './MarkedText.tsx';

export function SearchPanel() {
  const ref = useRef<HTMLInputElement>(null);
  const asked = searchAsked.value;
  useLayoutEffect(() => {
    ref.current?.focus();
    ref.current?.select();
  }, [asked]);
  return (
    <aside class="panel" aria-label="Search">
      <header class="bar">
        <form class="search-box" role="search" onSubmit={(event) => event.preventDefault()}>
          <Icon name="search" />
          <input
            ref={ref}
            type="search"
            value={query.value}
            maxLength={MAX_QUERY}
            placeholder="Search messages"
            aria-label="Search messages"
            onInput={(event) => (query.value = event.currentTarget.value)}
          />
        </form>
        <IconButton icon="close" label="Close search" onClick={closePanel} />
      </header>
      <div class="results">
        {queryHints.value.map(({ detail }) => (
          <p class="hint" role="status" key={detail}>
            {detail}
          </p>
        ))}
        <Results />
      </div>
    </aside>
  );
}

function Results() {
  const found = results.value;
  if (found.name === 'idle') return <Help />;
  if (found.name === 'searching') return <div class="spinner" role="status" aria-label="Searching" />;
  if (found.name === 'failed') return <p class="hint">The search failed: {found.reason}</p>;
  if (found.hits.length === 0 && found.nextCursor === null) return <p class="hint" role="status">Nothing was found.</p>;
  return (
    <>
      <p class="visually-hidden" role="status">
        {found.hits.length} messages found
      </p>
      {found.hits.length === 0 && <p class="hint">Nothing was found among the newest messages.</p>}
      <ul>
        {found.hits.map((hit) => (
          <Hit key={hit.message.id} hit={hit} />
        ))}
      </ul>
      {found.nextCursor !== null && (
        <button type="button" class="button more" onClick={() => void searchMore()}>
          Show more
        </button>
      )}
    </>
  );
}

/** Operators of the grammar, as they are written. */
const OPERATORS = ['from:name', 'in:channel', 'in:@name', 'with:name', 'on:2026-11-26', 'before:2026-11', 'has:link', 'has:file', 'has:reaction', 'is:thread', 'is:edited', 'is:dm', '"a phrase"', '-word'];

function Help() {
  return (
    <p class="hint">
      Find messages in all your channels. To narrow it:{' '}
      {OPERATORS.map((operator) => (
        <Fragment key={operator}>
          <code>{operator}</code>{' '}
        </Fragment>
      ))}
    </p>
  );
}

function Hit({ hit }: { hit: SearchHit }) {
  const { message, highlights } = hit;
  const at = saidAt(message);
  const channel = stores.value.find(({ id }) => id === message.channel_id)?.title.value;
  return (
    <li class="hit">
      <button type="button" onClick={() => void goTo(message)}>
        <span class="hit-head">
          <span class="author ellipsis">{message.origin?.author ?? displayName(message.author_id)}</span>
          <span class="hit-place">
            {channel && <bdi>{channel} · </bdi>}
            {shortDay(at)}, {timeOf(at)}
          </span>
        </span>
        <span class="text" dir="auto">
          <MarkedText text={message.text} marks={highlights} />
        </span>
        {message.thread_id !== null && <span class="tag">in a thread</span>}
      </button>
    </li>
  );
}
