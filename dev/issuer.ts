/** The issuer of the development identity provider. Users are known by (issuer, subject). */
export const issuerAt = (port: number): string => `http://127.0.0.1:${port}`;

/** Whom access tokens are for, and a program that gets them for itself, with a secret that is none: all this is on loopback. */
export const AUDIENCE = 'urn:colink:api';
export const PROGRAM = { id: 'colink-program', secret: 'development-only' };

/** Who administers a local stack: whoever signs in by this handle. */
export const FIRST_ADMIN = 'admin';
