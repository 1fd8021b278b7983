import js from '@eslint/js';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import typescript from 'typescript-eslint';

export default typescript.config(
    { ignores: ['node_modules', 'src/lib/api/schema.d.ts'] },
    js.configs.recommended,
    ...typescript.configs.strict,
    {
        files: ['src/**/*.{ts,tsx}'],
        ...a11y.flatConfigs.recommended,
    },
    {
        files: ['src/**/*.{ts,tsx}'],
        plugins: { 'react-hooks': hooks },
        rules: {
            ...hooks.configs.recommended.rules,
            'no-restricted-globals': [
                'error',
                { name: 'fetch', message: 'Use lib/api: it knows the session and the errors.' },
            ],
            'jsx-a11y/no-autofocus': 'off',
            '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_' }],
        },
    },
    { files: ['src/lib/**'], rules: { 'no-restricted-globals': 'off' } },
    {
        files: ['scripts/**', 'e2e/**', 'public/**', '*.{js,ts}'],
        languageOptions: { globals: { ...globals.node, ...globals.browser } },
    },
);
