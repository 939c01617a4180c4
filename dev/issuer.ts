/** The issuer of the development identity provider. Users are known by (issuer, subject). */
export const issuerAt = (port: number): string => `http://127.0.0.1:${port}`;
