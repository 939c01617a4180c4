import { computed, signal } from '@preact/signals';
import { ProblemError } from '../../client/errors.ts';
import type { Profile } from '../../protocol/api.ts';
import { me, refresh, stores } from './account.ts';
import { api } from './platform.ts';
import { reasonOf } from './reason.ts';

/** So often it is asked whether the image is scanned, and how long it waits in between: the server says no better. Milliseconds. */
const ASKS = 60;
const WAIT_MS = 1_000;

/** One's picture, as it is being changed: at once, and not with the rest of the settings. */
export class PictureChange {
  readonly state = signal<'idle' | 'uploading' | 'scanning' | 'removing'>('idle');
  readonly problem = signal<string | null>(null);
  readonly shown = computed(() => me.value?.avatar ?? null);
  readonly #changed: (profile: Profile) => void;

  /** `changed` is told of the profile as it is stored then. */
  constructor(changed: (profile: Profile) => void) {
    this.#changed = changed;
  }

  choose(content: File): Promise<void> {
    return this.#run(async () => {
      this.state.value = 'uploading';
      const { id } = await upload(content);
      this.state.value = 'scanning';
      return onceScanned(id);
    });
  }

  remove(): Promise<void> {
    return this.#run(async () => {
      this.state.value = 'removing';
      await api.removeAvatar();
      return api.me();
    });
  }

  async #run(change: () => Promise<Profile>): Promise<void> {
    if (this.state.peek() !== 'idle') return;
    this.problem.value = null;
    const problem = await change().then((profile) => void this.#changed(profile), whyNot);
    // It brings one's own picture to all places, and takes the notes off the list if they were not there.
    await refresh();
    [this.state.value, this.problem.value] = ['idle', problem ?? null];
  }
}

/** Of a file that cannot be one the server says what it is instead. */
const whyNot = (error: unknown): string => (error instanceof ProblemError && error.problem.errors ? error.problem.errors.map(({ detail }) => `This file ${detail}.`).join(' ') : reasonOf(error));

/** Into the notes to oneself, which nobody else reads. Were they closed, they are so again. */
async function upload(content: File) {
  const isOpen = stores.peek().some(({ people }) => people?.length === 0);
  const notes = await api.openDirectChannel([]);
  if (!isOpen) await api.closeDirectChannel(notes.id);
  return api.upload(notes.id, content.name, content);
}

async function onceScanned(fileId: string): Promise<Profile> {
  for (let asked = 1; ; asked++) {
    try {
      return await api.setAvatar(fileId);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'file_not_clean') throw error;
      if (asked === ASKS) throw new Error('The picture is still being scanned for viruses. Try again later.', { cause: error });
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}
