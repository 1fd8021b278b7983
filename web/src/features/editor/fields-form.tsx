/* A form made of the node type's field table. */
import { Plus, Trash2 } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Config, Json } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { Button, IconButton } from '@/ui/button';
import { Field, SelectField, Switch, TextAreaField, TextField } from '@/ui/field';
import { Loading, Notice } from '@/ui/layout';
import type { CodeLanguage } from './code-editor';
import css from './editor.module.css';
import { useKnown } from './knowledge';
import type { FieldSpec } from './model';
import { Preview } from './preview';
import { useProblemAt } from './problems';

const CodeEditor = lazy(() => import('./code-editor'));

interface Props {
    field: FieldSpec;
    /** Where its value stands in the node's configuration, such as conditions[0].field. */
    path: string;
    value: Json | undefined;
    onChange: (value: Json | undefined) => void;
    problem?: string | undefined;
}
const languageOf: Record<string, CodeLanguage> = {
    sql: 'sql',
    'code-javascript': 'javascript',
    json: 'json',
};
const isExpression = (value: Json | undefined): value is string =>
    typeof value === 'string' && value.includes('{{');
const text = (value: Json | undefined): string =>
    value === undefined || value === null ? '' : String(value);

/** The field, and what its expressions give. */
export function FieldInput(props: Omit<Props, 'problem'>) {
    const list = props.field.kind === 'array' && props.field.fields !== undefined;
    const found = useProblemAt(props.path, !list);
    // The service is asked when the typing rests: meanwhile nothing is missing where something stands.
    const problem = found?.code === 'MISSING_INPUT' && props.value !== undefined ? undefined : found?.text;
    return (
        <>
            <FieldControl {...props} problem={problem} />
            {isExpression(props.value) && props.field.secret !== true && <Preview text={props.value} />}
        </>
    );
}

function FieldControl({ field, path, value, onChange, problem }: Props) {
    const { t } = useTranslation('editor');
    const label = field.label ?? field.name;
    const shared = {
        label,
        help: field.help,
        problem,
        ...(field.required === true && { hint: t('required') }),
    };
    if (field.kind === 'boolean' && !isExpression(value))
        return (
            <Switch
                label={label}
                help={field.help}
                checked={(value ?? field.default) === true}
                onChange={onChange}
            />
        );
    if (field.kind === 'enum' && field.values !== undefined && !isExpression(value))
        return (
            <SelectField
                {...shared}
                value={text(value ?? field.default)}
                options={field.values.map((one, index) => ({
                    value: one,
                    label: field.valueTexts?.[index] ?? one,
                }))}
                onChange={onChange}
            />
        );
    if (field.kind === 'integer' || field.kind === 'number')
        return (
            <TextField
                {...shared}
                inputMode="decimal"
                value={text(value)}
                placeholder={text(field.default)}
                onChange={(typed) => {
                    const number = Number(typed);
                    onChange(typed.trim() === '' ? undefined : Number.isFinite(number) ? number : typed);
                }}
            />
        );
    if (field.kind === 'array' && field.fields !== undefined && Array.isArray(value ?? []))
        return (
            <List {...{ field, path, onChange, problem }} value={(value ?? field.default ?? []) as Json[]} />
        );
    if (field.kind === 'string') {
        const language = languageOf[field.widget ?? ''];
        if (language === undefined && field.widget === 'expression')
            return <Code {...{ field, path, value, onChange, problem }} language="text" />;
        if (language !== undefined)
            return <Code {...{ field, path, value, onChange, problem }} language={language} />;
        if (field.widget === 'textarea')
            return (
                <TextAreaField
                    {...shared}
                    value={text(value)}
                    onChange={(v) => {
                        onChange(v === '' ? undefined : v);
                    }}
                />
            );
        return (
            <TextField
                {...shared}
                type={field.secret === true ? 'password' : 'text'}
                autoComplete="off"
                value={text(value)}
                placeholder={text(field.default)}
                onChange={(v) => {
                    onChange(v === '' ? undefined : v);
                }}
            />
        );
    }
    return <Code {...{ field, path, value, onChange, problem }} language="json" />;
}

/** Text in a language; JSON becomes a value once it is whole. */
function Code({ field, value, onChange, problem, language }: Props & { language: CodeLanguage }) {
    const { t } = useTranslation('editor');
    const shown = (of: Json | undefined): string =>
        of === undefined
            ? ''
            : language !== 'json' || isExpression(of)
              ? text(of)
              : JSON.stringify(of, null, 2);
    const [typed, setTyped] = useState(() => shown(value));
    const [broken, setBroken] = useState(false);
    const known = useKnown();
    const readOnly = !useMay('editor');
    const outside = shown(value);
    useEffect(() => {
        if (!broken) setTyped(outside);
    }, [outside, broken]);
    const label = field.label ?? field.name;
    return (
        <Field
            label={label}
            help={field.help}
            problem={broken ? t('noJson') : problem}
            {...(field.required === true && { hint: t('required') })}
        >
            {() => (
                <Suspense fallback={<Loading lines={2} />}>
                    <CodeEditor
                        label={label}
                        language={language}
                        known={known}
                        readOnly={readOnly}
                        value={typed}
                        onChange={(next) => {
                            if (next.trim() === '') {
                                setBroken(false);
                                onChange(undefined);
                            } else if (language !== 'json' || next.includes('{{')) {
                                setBroken(false);
                                onChange(next);
                            } else
                                try {
                                    onChange(JSON.parse(next) as Json);
                                    setBroken(false);
                                } catch {
                                    setBroken(true);
                                }
                        }}
                    />
                </Suspense>
            )}
        </Field>
    );
}

function List({ field, path, value, onChange, problem }: Omit<Props, 'value'> & { value: Json[] }) {
    const { t } = useTranslation('editor');
    const label = field.label ?? field.name;
    const at = (index: number): Config => (typeof value[index] === 'object' ? (value[index] as Config) : {});
    return (
        <fieldset className={css.rows} style={{ margin: 0, border: 0 }}>
            <legend>
                {label}
                {field.required === true && <small> {t('required')}</small>}
            </legend>
            {problem !== undefined && <Notice tone="warn">{problem}</Notice>}
            {value.map((_, index) => (
                <div key={index} className={css.rows}>
                    {field.fields?.map((inner) => (
                        <FieldInput
                            key={inner.name}
                            field={inner}
                            path={`${path}[${String(index)}].${inner.name}`}
                            value={at(index)[inner.name]}
                            onChange={(next) => {
                                const { [inner.name]: _former, ...rest } = at(index);
                                onChange(
                                    value.map((one, i) =>
                                        i === index
                                            ? next === undefined
                                                ? rest
                                                : { ...rest, [inner.name]: next }
                                            : one,
                                    ),
                                );
                            }}
                        />
                    ))}
                    <IconButton
                        small
                        icon={Trash2}
                        label={t('removeRow', { number: index + 1 })}
                        onClick={() => {
                            onChange(value.filter((_one, i) => i !== index));
                        }}
                    />
                </div>
            ))}
            <Button
                small
                icon={Plus}
                onClick={() => {
                    onChange([...value, {}]);
                }}
            >
                {t('addRow', { name: label })}
            </Button>
        </fieldset>
    );
}
