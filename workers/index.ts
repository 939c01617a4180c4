import { DurableObject } from 'cloudflare:workers';
export class ChannelRoom extends DurableObject {}
export class UserInbox extends DurableObject {}
export class MetricsHub extends DurableObject {}
export default { fetch() { return new Response('x'); } };
