import tseslint from 'typescript-eslint'

const EXPORTS = [
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
  { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that defines it.' },
]

export default tseslint.config(
  {
    ignores: [
      ...['dist/', 'node_modules/', '.demo/', '.bootstrap/', '.cache/', '**/*.cjs', 'images/', 'examples/', 'stagers/'],
      'test/fixtures/',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A promise that nobody awaits is an error that nobody sees.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // There is no enum here, and this rule takes a seventh of the time of all.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // The check of types finds them, in files of TypeScript, at no cost.
      '@typescript-eslint/no-unused-vars': 'off',
      'no-console': 'error',
      'no-restricted-imports': [
        'error',
        {
          name: 'node:readline',
          message: 'It splits at U+2028 and U+2029 too, from Node 24 on: use linesOf (base/lines-of.ts).',
        },
      ],
      'no-restricted-syntax': ['error', ...EXPORTS],
    },
  },
  {
    files: ['**/*.js', '*.config.ts', '.dependency-cruiser.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-restricted-syntax': 'off', '@typescript-eslint/no-unused-vars': 'error' },
  },
  {
    files: ['daemon/store/sql/**'],
    rules: {
      // The call of a generator does nothing: a transaction would silently leave out what it says.
      'no-restricted-syntax': [
        'error',
        ...EXPORTS,
        {
          selector:
            'ExpressionStatement > CallExpression:not([callee.name=/^(assert|super)/], [callee.type="Super"], [callee.property.name=/^(assert|push$|set$|add$|splice$)/])',
          message: 'If it is work, it needs yield*. What only throws has a name that begins with assert.',
        },
      ],
    },
  },
  {
    files: ['test/**'],
    rules: {
      // What these find would not be a fault of a test, and each of them takes a twentieth to a tenth of the time of all.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-deprecated': 'off',
      'no-restricted-syntax': [
        'error',
        ...EXPORTS,
        {
          selector: 'CallExpression[callee.object.name="vi"][callee.property.name=/^wait/][arguments.length<2]',
          message: 'A second is too short on a busy host: use expect.poll, whose time limit is in vitest.config.ts.',
        },
      ],
    },
  },
  {
    files: ['scripts/**', 'test/**'],
    rules: {
      'no-console': 'off',
      'no-restricted-imports': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `void (await …)` turns a value into the void that a fixture is asked for.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
    },
  },
)
