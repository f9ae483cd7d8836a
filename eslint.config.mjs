import js from '@eslint/js';
import boundaries from 'eslint-plugin-boundaries';
import tseslint from 'typescript-eslint';

/** The rooms of the house and the directions in which they may import: CONTRIBUTING.md draws the same map. */
const mayImport = {
  cmd: ['cmd', 'snapshotter', 'ishare', 'fuse', 'erofs', 'linux', 'proto', 'config'],
  snapshotter: ['snapshotter', 'ishare', 'erofs', 'linux', 'proto', 'config'],
  ishare: ['ishare', 'fuse', 'erofs', 'linux', 'proto', 'config'],
  fuse: ['fuse', 'linux'],
  erofs: ['erofs', 'linux'],
  linux: ['linux'],
  proto: ['proto'],
  config: ['config'],
  scripts: ['scripts', 'cmd', 'snapshotter', 'ishare', 'fuse', 'erofs', 'linux', 'proto', 'config'],
  bench: ['bench', 'scripts', 'cmd', 'snapshotter', 'ishare', 'fuse', 'erofs', 'linux', 'proto', 'config'],
  test: [
    'test',
    'bench',
    'scripts',
    'cmd',
    'snapshotter',
    'ishare',
    'fuse',
    'erofs',
    'linux',
    'proto',
    'config',
  ],
};
const rooms = Object.keys(mayImport);

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', 'test/fixtures'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    plugins: { boundaries },
    settings: {
      'boundaries/elements': rooms.map((room) => ({ type: room, pattern: `${room}/**`, mode: 'full' })),
      'import/resolver': { node: { extensions: ['.ts', '.js'] } },
    },
    rules: {
      'boundaries/element-types': [
        'error',
        {
          default: 'disallow',
          rules: rooms.map((room) => ({ from: [room], allow: mayImport[room] })),
        },
      ],
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'koffi', message: 'Native calls live in linux/ (codecs: one file of erofs/).' }] },
      ],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['linux/**/*.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
);
