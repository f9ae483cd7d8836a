import { MalformedTarError } from './errors';
import { HEADER, SPARSE_ENTRY_BYTES, TYPE } from './header';
import { END, GNU_MAGIC, header, member, padded, pax } from './testing/craft-tar';
import { failureOf, ReadLayer } from './testing/read-layer';

/** The map of an old GNU header. */
function oldMap(...stretches: readonly [start: number, length: number][]): Buffer {
  const bytes = Buffer.alloc(stretches.length * SPARSE_ENTRY_BYTES);
  stretches.forEach(([start, length], index) => {
    bytes.write(start.toString(8).padStart(11, '0'), index * SPARSE_ENTRY_BYTES);
    bytes.write(length.toString(8).padStart(11, '0'), index * SPARSE_ENTRY_BYTES + 12);
  });
  return bytes;
}

function oldSparse(size: number, realSize: number, map: Buffer, more = false): Buffer {
  return header({
    name: 'sparse',
    type: TYPE.GNU_SPARSE,
    magic: GNU_MAGIC,
    size,
    raw: {
      [HEADER.gnuSparse.offset]: map,
      [HEADER.gnuSparseMore.offset]: Buffer.of(more ? 1 : 0),
      [HEADER.gnuRealSize.offset]: `${realSize.toString(8).padStart(11, '0')}\0`,
    },
  });
}

const FORMAT_1 = [
  ['GNU.sparse.major', '1'],
  ['GNU.sparse.minor', '0'],
  ['GNU.sparse.name', 'sparse'],
] as const;

const expected = `${'\0'.repeat(3)}abc${'\0'.repeat(4)}de${'\0'.repeat(3)}`;

test.each<[string, Buffer[]]>([
  ['old', [oldSparse(5, 15, oldMap([3, 3], [10, 2], [15, 0])), padded('abcde')]],
  [
    '0.0',
    [
      pax([
        ['GNU.sparse.size', '15'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '3'],
        ['GNU.sparse.numbytes', '3'],
        ['GNU.sparse.offset', '10'],
        ['GNU.sparse.numbytes', '2'],
      ]),
      member({ name: 'sparse' }, 'abcde'),
    ],
  ],
  [
    '0.1',
    [
      pax([
        ['GNU.sparse.size', '15'],
        ['GNU.sparse.map', '3,3,10,2,15,0'],
        ['GNU.sparse.name', 'sparse'],
      ]),
      member({ name: './GNUSparseFile.1/sparse' }, 'abcde'),
    ],
  ],
  [
    '1.0',
    [
      pax([...FORMAT_1, ['GNU.sparse.realsize', '15']]),
      member(
        { name: './GNUSparseFile.1/sparse' },
        Buffer.concat([padded('2\n3\n3\n10\n2\n'), Buffer.from('abcde')]),
      ),
    ],
  ],
])('format %s', async (_, parts) => {
  using layer = await ReadLayer.ofBytes(...parts, member({ name: 'next' }, 'next'), END);
  expect(layer.paths).toEqual(['next', 'sparse']);
  expect(layer.text('sparse')).toBe(expected);
  expect(layer.text('next')).toBe('next');
});

test('a map of format 1.0 may be longer than a block', async () => {
  const numbers = Array.from({ length: 200 }, (_, index) => [index * 10, 1]).flat();
  const map = padded(`200\n${numbers.join('\n')}\n`);
  expect(map.length).toBeGreaterThan(512);
  using layer = await ReadLayer.ofBytes(
    pax([...FORMAT_1, ['GNU.sparse.realsize', '2000']]),
    member({ name: 'x' }, Buffer.concat([map, Buffer.alloc(200, 'x')])),
    END,
  );
  expect(layer.text('sparse')).toBe(`x${'\0'.repeat(9)}`.repeat(200));
});

test.each<[string, Buffer[], string]>([
  [
    'is not ascending',
    [oldSparse(5, 15, oldMap([10, 2], [3, 3])), padded('abcde')],
    'the sparse map has 3 bytes at 3, behind 12 and in a file of 15',
  ],
  [
    'overlaps',
    [oldSparse(5, 15, oldMap([3, 3], [5, 2])), padded('abcde')],
    'the sparse map has 2 bytes at 5, behind 6 and in a file of 15',
  ],
  [
    'goes beyond the file',
    [oldSparse(5, 11, oldMap([3, 3], [10, 2])), padded('abcde')],
    'the sparse map has 2 bytes at 10, behind 6 and in a file of 11',
  ],
  [
    'names more than is there',
    [oldSparse(4, 15, oldMap([3, 3], [10, 2])), padded('abcd')],
    'the sparse map names 5 bytes, 4 are there',
  ],
  [
    'names less than is there',
    [oldSparse(6, 15, oldMap([3, 3], [10, 2])), padded('abcdef')],
    'the sparse map names 5 bytes, 6 are there',
  ],
  [
    'has an offset alone',
    [
      pax([
        ['GNU.sparse.size', '9'],
        ['GNU.sparse.map', '1,2,3'],
      ]),
      member({}, 'ab'),
    ],
    'the sparse map has an offset without a length, or the reverse',
  ],
  [
    'has two lengths',
    [
      pax([
        ['GNU.sparse.size', '9'],
        ['GNU.sparse.numbytes', '1'],
      ]),
      member({}, 'a'),
    ],
    'the sparse map has an offset without a length, or the reverse',
  ],
  [
    'has words in it',
    [
      pax([
        ['GNU.sparse.size', '9'],
        ['GNU.sparse.map', '1,x'],
      ]),
      member({}, 'a'),
    ],
    '"x" is no number that fits here',
  ],
  [
    'is of an unknown format',
    [
      pax([
        ['GNU.sparse.major', '2'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.realsize', '9'],
      ]),
      member({}, 'a'),
    ],
    'sparse format 2.0',
  ],
  [
    'has no end',
    [pax([...FORMAT_1, ['GNU.sparse.realsize', '9']]), member({}, Buffer.alloc(512, '1'))],
    `the sparse map has "${'1'.repeat(60)}..." for a number`,
  ],
  [
    'is longer than the content',
    [pax([...FORMAT_1, ['GNU.sparse.realsize', '9']]), member({}, `900\n${'0\n'.repeat(254)}`)],
    'the content ends in its sparse map, 0 bytes are left',
  ],
])('a map that %s is an error', async (_, parts, problem) => {
  const error = await failureOf(...parts);
  expect(error).toBeInstanceOf(MalformedTarError);
  expect((error as MalformedTarError).problem.replace('sparse file: ', '')).toBe(problem);
});

test('maps of more than a megabyte are refused, not gathered', async () => {
  const more = Buffer.alloc(512);
  oldMap(...Array.from({ length: 21 }, (): [number, number] => [0, 0])).copy(more);
  more[504] = 1;
  expect(
    await failureOf(oldSparse(0, 15, oldMap([0, 0]), true), Buffer.concat(Array<Buffer>(2100).fill(more))),
  ).toMatchObject({
    problem: 'sparse file: the sparse map takes more than 1048576 bytes',
  });
  const lines = Buffer.from(`${2 ** 40}\n${'0\n'.repeat(600_000)}`);
  expect(
    await failureOf(pax([...FORMAT_1, ['GNU.sparse.realsize', '9']]), member({}, padded(lines))),
  ).toMatchObject({
    problem: 'sparse file: the sparse map takes more than 1048576 bytes',
  });
});
