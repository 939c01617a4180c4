import type { RuleTester } from 'oxlint/plugins-dev';

type Rule = Parameters<RuleTester['run']>[1];
type Call = Parameters<NonNullable<ReturnType<NonNullable<Rule['create']>>['CallExpression']>>[0];

const WAITS = new Set(['waitFor', 'waitUntil']);
const MESSAGE = 'gives up after 1,000 ms, less than a drain or an alarm takes on a busy machine: use soon() of tests/support/soon.ts, or say a timeout';

const isWait = ({ callee }: Call): boolean =>
  callee.type === 'MemberExpression' && callee.object.type === 'Identifier' && callee.object.name === 'vi' && callee.property.type === 'Identifier' && WAITS.has(callee.property.name);

/** A number, a name or what is spread into an object may be of any patience; an object that is written out has to say its own. */
const saysHowLong = (options: Call['arguments'][number] | undefined): boolean =>
  options !== undefined &&
  (options.type !== 'ObjectExpression' || options.properties.some((property) => property.type === 'SpreadElement' || (property.key.type === 'Identifier' && property.key.name === 'timeout')));

const noBareWait: Rule = {
  create: (context) => ({
    CallExpression(node) {
      if (isWait(node) && !saysHowLong(node.arguments[1])) context.report({ node, message: MESSAGE });
    },
  }),
};

/** Loaded by `.oxlintrc.json`. */
export default { meta: { name: 'colink' }, rules: { 'no-bare-wait': noBareWait } };
