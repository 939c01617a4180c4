import type { NamedChannelKind } from './events.ts';

/** The channel that whoever is new joins, by its name. */
export const isGeneral = (name: string): boolean => name.toLowerCase() === 'general';

/** An archived channel takes nobody in, so the one that all join is not archived. */
export const isOpenGeneral = ({ name, kind }: { readonly name: string; readonly kind: NamedChannelKind }): boolean => kind === 'public' && isGeneral(name);

/** Into a private channel nobody comes by themselves, so the one that all join is not made one, nor is a private one given its name. */
export const isClosedGeneral = ({ name, kind }: { readonly name: string; readonly kind: NamedChannelKind }): boolean => kind === 'private' && isGeneral(name);
