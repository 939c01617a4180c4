import type { NamedChannelKind } from '../../protocol/events.ts';
import { isGeneral } from '../../protocol/general.ts';
import { me } from './account.ts';
import type { ChannelStore } from './channel-store.ts';
import { confirmation } from './confirmation.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';

/** What the reader may make of the channel; null: nothing. The server judges, this only offers. */
export function offeredKind({ info, members }: ChannelStore): NamedChannelKind | null {
  const { kind, archived_at, name } = info.value;
  const reader = me.value;
  if (kind === 'direct' || archived_at !== null || reader === null || reader.role === 'guest') return null;
  if (kind === 'public' && isGeneral(name)) return null;
  const role = members.roles.value.get(reader.id);
  const other = kind === 'public' ? 'private' : 'public';
  const isTheirs = role === 'owner' || (role !== undefined && reader.role === 'admin');
  return isTheirs || (role === 'admin' && other === 'private') ? other : null;
}

const MEANING: Readonly<Record<NamedChannelKind, string>> = {
  private: 'From now on only its members find it and read it. Nobody else can join: someone who manages the channel has to add them.',
  public: 'Everyone but guests can join it then, and read everything that was ever said in it, in confidence too. What they have read cannot be taken back.',
};

/** Of the channel as the reader sees it now: if it is another by the time they say yes, nothing happens. */
export function askForKind(store: ChannelStore, kind: NamedChannelKind): void {
  const { name, version } = store.info.peek();
  confirmation.value = {
    title: `Make #${name} ${kind}?`,
    text: MEANING[kind],
    action: `Make ${kind}`,
    confirmed: () => void attempt(`make #${name} ${kind}`, () => api.changeChannel(store.id, version, { kind })),
  };
}
