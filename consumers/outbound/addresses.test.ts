import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { checkedAddresses, ForbiddenAddressError, isPublic, resolveByDns } from './addresses.ts';

describe('an address', () => {
  it.each(['8.8.8.8', '93.184.216.34', '172.15.0.1', '172.32.0.1', '100.63.255.255', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1'])('%s is public', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  it.each([
    ['loopback', '127.0.0.1'], ['loopback', '127.255.255.254'], ['private', '10.0.0.1'], ['private', '172.16.0.1'], ['private', '172.31.255.255'], ['private', '192.168.1.1'],
    ['link-local, metadata', '169.254.169.254'], ['shared (CGNAT)', '100.64.0.1'], ['shared (CGNAT)', '100.127.255.255'], ['this network', '0.0.0.0'], ['this network', '0.1.2.3'],
    ['broadcast', '255.255.255.255'], ['multicast', '224.0.0.1'], ['multicast', '239.255.255.250'], ['reserved', '240.0.0.1'], ['protocol assignments', '192.0.0.1'],
    ['documentation', '192.0.2.1'], ['documentation', '198.51.100.1'], ['documentation', '203.0.113.1'], ['benchmarks', '198.18.0.1'], ['benchmarks', '198.19.255.255'], ['6to4 relay', '192.88.99.1'],
    ['loopback', '::1'], ['unspecified', '::'], ['mapped', '::ffff:127.0.0.1'], ['mapped', '::ffff:8.8.8.8'], ['mapped', '::ffff:a9fe:a9fe'], ['compatible', '::127.0.0.1'], ['compatible', '::8.8.8.8'],
    ['NAT64', '64:ff9b::7f00:1'], ['NAT64', '64:ff9b::808:808'], ['local NAT64', '64:ff9b:1::a00:1'], ['translated', '::ffff:0:7f00:1'], ['6to4', '2002:7f00:1::'], ['6to4', '2002:a00:1::1'],
    ['Teredo', '2001:0:53aa:64c::1'], ['unique local', 'fc00::1'], ['unique local', 'fd00:ec2::254'], ['link-local', 'fe80::1'], ['site-local', 'fec0::1'], ['multicast', 'ff02::1'],
    ['of no registry', '4000::1'], ['of no registry', 'e000::1'], ['documentation', '2001:db8::1'], ['discard', '100::1'], ['with a zone', 'fe80::1%eth0'], ['no address', 'example.com'], ['no address', ''],
  ])('%s: %s is not', (_, address) => {
    expect(isPublic(address)).toBe(false);
  });
});

describe('the addresses of a host', () => {
  const check = (addresses: readonly string[], hostname = 'hook.example', loopback = false) => checkedAddresses(hostname, async () => addresses, { loopback });

  it('are all it has, where all are public', async () => {
    expect(await check(['93.184.216.34', '2606:4700::1111'])).toEqual([{ address: '93.184.216.34', family: 4 }, { address: '2606:4700::1111', family: 6 }]);
  });

  it.each([[['93.184.216.34', '10.0.0.1']], [['::1', '2606:4700::1111']], [['8.8.8.8', '::ffff:10.0.0.1']], [[]]])('are refused with %j among them', async (addresses) => {
    await expect(check(addresses)).rejects.toThrow(ForbiddenAddressError);
  });

  it.each(['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254'])('that is an address itself (%s) need no resolving, and are refused', async (hostname) => {
    await expect(check(['8.8.8.8'], hostname)).rejects.toThrow(ForbiddenAddressError);
  });

  it('may be loopback where that is allowed, and nothing else that is private', async () => {
    expect(await check([], '127.0.0.1', true)).toEqual([{ address: '127.0.0.1', family: 4 }]);
    expect(await check(['::1'], 'localhost', true)).toEqual([{ address: '::1', family: 6 }]);
    await expect(check(['127.0.0.1', '10.0.0.1'], 'localhost', true)).rejects.toThrow(ForbiddenAddressError);
  });
});

describe('names, asked of a name server', () => {
  const PUBLIC = [93, 184, 216, 34];
  const PRIVATE = [0xfd, ...Array.from({ length: 14 }, () => 0), 1];
  /** By name and type of record: A is 1, AAAA 28. */
  const RECORDS: Readonly<Record<string, number[]>> = { 'public.test 1': PUBLIC, 'mixed.test 1': PUBLIC, 'mixed.test 28': PRIVATE };

  let server: Socket | null = null;
  afterEach(() => server?.close());

  function answerTo(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
      labels.push(query.toString('ascii', at + 1, at + 1 + length));
      at += length + 1;
    }
    const type = query.readUInt16BE(at + 1);
    const name = labels.join('.');
    const record = RECORDS[`${name} ${type}`];
    const head = Buffer.from([query.readUInt8(0), query.readUInt8(1), 0x81, name === 'gone.test' ? 0x83 : 0x80, 0, 1, 0, record ? 1 : 0, 0, 0, 0, 0]);
    return Buffer.concat([head, query.subarray(12, at + 5), record ? Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, 0, record.length, ...record]) : Buffer.alloc(0)]);
  }

  it('have all their addresses looked at, of both families', async () => {
    const listening = createSocket('udp4');
    server = listening;
    listening.on('message', (query, { port, address }) => listening.send(answerTo(query), port, address));
    await new Promise<void>((resolve) => listening.bind(0, '127.0.0.1', resolve));
    const resolve = resolveByDns([`127.0.0.1:${listening.address().port}`]);
    const check = (name: string) => checkedAddresses(name, resolve, { loopback: false });
    expect(await check('public.test')).toEqual([{ address: '93.184.216.34', family: 4 }]);
    expect(await resolve('mixed.test')).toHaveLength(2);
    await expect(check('mixed.test')).rejects.toThrow(ForbiddenAddressError);
    await expect(check('gone.test')).rejects.toThrow(/^query.*ENOTFOUND gone\.test$/);
    await expect(check('empty.test')).rejects.toThrow(/^query.*ENODATA empty\.test$/);
  });
});
