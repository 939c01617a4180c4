import { expect, test } from 'vitest';
import { javaMajor } from './components.ts';
import { chooseTransport } from './transport.ts';

const all = { java: { path: '/java' }, maven: { path: '/mvn' }, kafkaJars: { path: '/jars' } };
const noJava = { ...all, java: { missing: 'no java on the PATH' } };
const noJars = { ...all, kafkaJars: { missing: 'no jars' } };
const neither = { ...noJars, maven: { missing: 'no mvn' } };

test('brokers that are given go before a broker of our own', () => {
  expect(chooseTransport('auto', 'a:1, b:2', all)).toEqual({ kind: 'given', brokers: ['a:1', 'b:2'], why: 'KAFKA_BROKERS is set' });
  expect(chooseTransport('auto', '', all)).toMatchObject({ kind: 'own', wanted: false });
});

test('jars that Maven can get are as good as there', () => {
  expect(chooseTransport('auto', undefined, noJars)).toMatchObject({ kind: 'own' });
});

test('what is missing is the reason for the embedded transport', () => {
  expect(chooseTransport('auto', undefined, noJava)).toEqual({ kind: 'embedded', why: 'no Kafka: no java on the PATH' });
  expect(chooseTransport('auto', undefined, neither)).toEqual({ kind: 'embedded', why: 'no Kafka: no jars, and no mvn' });
});

test('a wish is followed or refused, never replaced', () => {
  expect(chooseTransport('embedded', 'a:1', all)).toEqual({ kind: 'embedded', why: 'asked for' });
  expect(chooseTransport('kafka', undefined, all)).toMatchObject({ kind: 'own', wanted: true });
  expect(() => chooseTransport('kafka', undefined, noJava)).toThrow('no Kafka: no java on the PATH');
});

test.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_402"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ['Unable to locate a Java Runtime.', null],
])('%s is Java %s', (output, major) => {
  expect(javaMajor(output)).toBe(major);
});
