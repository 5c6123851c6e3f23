// ESLint finds what the compiler cannot: floating promises, async callbacks whose rejection nobody sees, missing cases.
import tseslint from 'typescript-eslint';

/** Names that the glossary of ARCHITECTURE.md has replaced; as words of prose they remain allowed. */
const REPLACED_NAMES = [
  'absorbLetters',
  'Arena',
  'Attendant',
  'buried',
  'bury',
  'culprit',
  'deathBond',
  'duties',
  'exportTroubles',
  'faintTexts',
  'Fate',
  'giveBack',
  'Ground',
  'Hand',
  'headroom',
  'isWrongOption',
  'Journey',
  'Kept',
  'kick',
  'LENT_PORTS',
  'LetterBox',
  'letterBox',
  'letterKept',
  'LetterPost',
  'Logbook',
  'lookThrough',
  'OpenHand',
  'openHand',
  'owedCount',
  'Parcel',
  'quietLimitMs',
  'renditions',
  'Room',
  'switchExchange',
  'Told',
  'Traveller',
  'turnRun',
  'wrongsOf',
];

export default tseslint.config(
  {
    ignores: [
      'node_modules/',
      '.stack/',
      'site/build/',
      '**/*.mjs',
      '**/*.cjs',
      '*.js',
      // Programs of strangers, who have rules of their own.
      'dev/packages/src/consumers/',
    ],
  },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A default branch says that the rest is meant; without one every case must be there.
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
      // `const { secret, ...rest }` is how a field is left out.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      'id-denylist': ['error', ...REPLACED_NAMES],
      'no-restricted-syntax': [
        'error',
        {
          selector: "ObjectExpression > SpreadElement[argument.type='ObjectExpression']",
          message:
            'Write the fields out in the object itself, one a line: a spread literal only packs lines.',
        },
      ],
    },
  },
  {
    // Tests may index a value that they have just asserted.
    files: ['**/test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
