import fc from 'fast-check';
import { Kind, type Labels } from '../../proto/snapshots';
import { InvalidArgumentError } from '../errors';
import type { SnapshotInfo } from '../snapshot-info';
import { compileFilters } from './filter';
import { snapshotFields } from './snapshot-fields';

function snapshot(name: string, labels: Labels = {}, other: Partial<SnapshotInfo> = {}): SnapshotInfo {
  return { name, parent: '', kind: Kind.ACTIVE, createdNs: 0n, updatedNs: 0n, labels, ...other };
}

const corpus = [
  snapshot('foo', { foo: 'true' }),
  snapshot('bar', {}, { kind: Kind.VIEW, parent: 'foo' }),
  snapshot('bar2', { foo: 'present', 'more complex label': 'present' }),
  snapshot('fooer', { 'with \\ and "': 'present' }, { kind: Kind.COMMITTED, parent: 'too complex, yo' }),
  snapshot('default/5/sha256:ab 12', { 'with \\ and ".post': 'x', 'a.b/c': 'omg_asdf.asdf-qwer' }),
];

function select(...filters: string[]): string[] {
  const matches = compileFilters(filters);
  return corpus.filter((candidate) => matches(snapshotFields(candidate))).map(({ name }) => name);
}

function problemOf(filter: string): string {
  try {
    compileFilters([filter]);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return error.message;
    throw error;
  }
  throw new Error(`${filter} was accepted`);
}

/** Go's %q: how containerd writes names into filters. */
function quoted(text: string): string {
  const escaped = Array.from(text, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    const code = character.codePointAt(0) ?? 0;
    return code >= 0x20 && code < 0x7f ? character : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

const everything = corpus.map(({ name }) => name);

test.each<[filter: string, names: string[]]>([
  ['', everything],
  ['name', everything],
  ['kind', everything],
  ['labels', []],
  ['nothing', []],
  ['labels.foo', ['foo', 'bar2']],
  ['labels.foo,name', ['foo', 'bar2']],
  ['labels.foo==true', ['foo']],
  ['labels.foo!=true', ['bar', 'bar2', 'fooer', 'default/5/sha256:ab 12']],
  ['name==bar', ['bar']],
  ['name==default/5/sha256:ab', []],
  ['name=="default/5/sha256:ab 12"', ['default/5/sha256:ab 12']],
  ['kind==view', ['bar']],
  ['kind!=active', ['bar', 'fooer']],
  ['parent=="too complex, yo"', ['fooer']],
  ['parent==""', ['foo', 'bar2', 'default/5/sha256:ab 12']],
  ['labels."more complex label"', ['bar2']],
  ['labels."with \\\\ and \\""==present', ['fooer']],
  ['labels."with \\\\ and \\"".post', ['default/5/sha256:ab 12']],
  ['labels."a.b/c"==omg_asdf.asdf-qwer', ['default/5/sha256:ab 12']],
  ['labels.a."b/c"', ['default/5/sha256:ab 12']],
  ['name~=^ba,labels.foo', ['bar2']],
  ['name~=/fo{1,2}/', ['foo', 'fooer']],
  ['name~=|a/5|,name!=x', []],
  ['name~=|t/5|', ['default/5/sha256:ab 12']],
  ['nothing~=^$', everything],
  ['nothing!=x', everything],
  ['nothing==""', []],
  ['name == bar', ['bar']],
  [' name==bar', ['bar']],
  ['name=="\\x62\\141\\u0072"', ['bar']],
  ['name=="\\xff"', []],
  ['name!="\\xff"', everything],
])('%s selects what containerd selects', (filter, names) => {
  expect(select(filter)).toEqual(names);
});

test('several filters are alternatives', () => {
  expect(select('name==foo', 'kind==view')).toEqual(['foo', 'bar']);
});

test('a null byte ends nothing and is refused', () => {
  expect(problemOf('name==foo\0')).toContain('unexpected input');
  expect(problemOf('\0')).toContain('a character that text cannot hold');
});

test.each<[filter: string, problem: string]>([
  ['labels.|foo|==omg', 'character 8: | quotes regular expressions only'],
  ['name==|foo|', 'character 7: | quotes regular expressions only'],
  ['labels.?"x".post==present', 'character 8: expected a field or quoted text'],
  ['name==foo,', 'character 11: expected a field or quoted text'],
  ['labels.', 'character 8: expected a field or quoted text'],
  ['name~=,id?=?fbaq', 'character 7: expected a value or quoted text'],
  ['name==', 'character 7: expected a value or quoted text'],
  ['name==.foo', 'character 7: expected a value or quoted text'],
  ['labels.ns/key==value', 'character 10: a quoted text that does not end'],
  ['labels.ns/key==value/', 'character 10: expected an operator'],
  ['labels.key==/value', 'character 13: a quoted text that does not end'],
  ['labels."a\nb"', 'character 8: a quoted text that does not end'],
  ['labels."\\g"', 'character 8: an unknown escape'],
  ['labels."\\xaz"', 'character 8: a numeric escape with too few digits'],
  ['labels."\\777"', 'character 8: an escape that is not allowed'],
  ['labels."\\U00110000"', 'character 8: an escape that is not allowed'],
  ["labels.'foo'", 'character 8: expected a field or quoted text'],
  ['name=foo', 'character 5: expected an operator'],
  ['name===foo', 'character 5: expected an operator'],
  ['name==foo bar', 'character 10: unexpected input'],
  ['name==foo ', 'character 10: unexpected input'],
  ['name=="foo"bar', 'character 12: unexpected input'],
  ['name .foo', 'character 6: expected an operator'],
  ['name~=[', 'character 7: bad regular expression'],
])('%j is refused, with the place', (filter, problem) => {
  expect(problemOf(filter)).toContain(problem);
});

test.each<[what: string, filters: string[], problem: string]>([
  ['very many filters', Array<string>(1001).fill('name'), '1001 filters'],
  ['very long filters', [`name==${'x'.repeat(40_000)}`], 'of 40006 characters'],
  ['a regular expression that is long', [`name~=${'x'.repeat(5001)}`], 'too large'],
  ['a regular expression that unfolds into a large one', ['name~="(.{100}){100}"'], 'too large'],
  [
    'a regular expression that is nested deeply',
    [`name~="${'('.repeat(2000)}${')'.repeat(2000)}"`],
    'bad regular',
  ],
])('%s are refused in few words', (_what, filters, problem) => {
  const compile = (): unknown => compileFilters(filters);
  expect(compile).toThrow(InvalidArgumentError);
  expect(compile).toThrow(problem);
  expect(compile).toThrow(/^.{1,250}$/);
});

test('a pattern of usual size is not too large', () => {
  expect(select('name~="^default/[0-9]+/sha256:[0-9a-f ]{1,64}$"')).toEqual(['default/5/sha256:ab 12']);
});

test('a filter that has taken long is given up', () => {
  const clock = jest.spyOn(performance, 'now');
  let now = 0;
  clock.mockImplementation(() => (now += 600));
  try {
    const matches = compileFilters(['name==foo']);
    const lookup = snapshotFields(corpus[0]!);
    const test = (): boolean => matches(lookup);
    expect([test(), test(), test(), test()]).toEqual([true, true, true, true]);
    expect(test).toThrow('take too long');
  } finally {
    clock.mockRestore();
  }
});

test('any label that exists is found by its quoted key and value, and no other', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.string(),
      (key, value, other) => {
        fc.pre(/^[^\p{Surrogate}]*$/u.test(key + value));
        const filter = compileFilters([`labels.${quoted(key)}==${quoted(value)}`]);
        expect(filter(snapshotFields(snapshot('x', { [key]: value })))).toBe(true);
        expect(filter(snapshotFields(snapshot('x', { [key]: other })))).toBe(other === value);
        expect(filter(snapshotFields(snapshot('x')))).toBe(false);
      },
    ),
  );
});

test('equal and not equal are opposites where the field exists', () => {
  const word = fc.stringMatching(/^[a-z0-9_:/+@-]{1,8}$/).filter((text) => !text.startsWith('/'));
  fc.assert(
    fc.property(word, word, (name, value) => {
      const lookup = snapshotFields(snapshot(name));
      expect(compileFilters([`name==${value}`])(lookup)).toBe(name === value);
      expect(compileFilters([`name!=${value}`])(lookup)).toBe(name !== value);
      expect(compileFilters([`name==${value},name!=${value}`])(lookup)).toBe(false);
      expect(compileFilters([`name==${value}`, `name!=${value}`])(lookup)).toBe(true);
    }),
  );
});

test('whatever the text, it is a filter or it is refused with a message', () => {
  const fragments = fc.constantFrom(
    'name',
    'labels',
    '.',
    ',',
    '==',
    '!=',
    '~=',
    '"',
    '/',
    '|',
    '\\',
    'x',
    ' ',
    '[',
    '(',
    '*',
    '牛',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fragments).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (filter) => {
      try {
        compileFilters([filter])(snapshotFields(corpus[0]!));
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidArgumentError);
      }
    }),
    { numRuns: 2000 },
  );
});
