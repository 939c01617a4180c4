import { createRequire } from 'node:module';
import type setup from './postgres-setup.ts';

/** For the project whose packages resolve as in workerd: the setup runs in Node, so Node loads it, past that resolution. */
const native: { readonly default: typeof setup } = createRequire(import.meta.url)('./postgres-setup.ts');

export default native.default;
