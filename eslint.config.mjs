import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What each room may import beside itself: CONTRIBUTING.md draws the same map. */
const everything = ['cmd', 'snapshotter', 'ishare', 'fuse', 'erofs', 'linux', 'proto', 'config'];
const mayImport = {
  cmd: everything,
  snapshotter: ['ishare', 'erofs', 'linux', 'proto', 'config'],
  ishare: ['fuse', 'erofs', 'linux', 'proto', 'config'],
  fuse: ['linux'],
  erofs: ['linux'],
  linux: [],
  proto: [],
  config: [],
  scripts: everything,
  bench: [...everything, 'scripts'],
  test: [...everything, 'scripts', 'bench'],
};

const koffiStaysInLinux = {
  name: 'koffi',
  message: 'Native calls live in linux/ (the codecs of erofs/ excepted: one file).',
};

/** One rule set a room: imports that lead into a room it does not know are errors. */
const directions = Object.entries(mayImport).map(([room, allowed]) => {
  const forbidden = Object.keys(mayImport).filter((other) => other !== room && !allowed.includes(other));
  return {
    files: [`${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: room === 'linux' ? [] : [koffiStaysInLinux],
          patterns:
            forbidden.length === 0
              ? []
              : [
                  {
                    regex: `^(\\.\\./)+(${forbidden.join('|')})(/|$)`,
                    message: `${room}/ may import ${['itself', ...allowed].join(', ')}.`,
                  },
                ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', 'test/fixtures'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
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
  ...directions,
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { __dirname: 'readonly', process: 'readonly' },
    },
  },
);
