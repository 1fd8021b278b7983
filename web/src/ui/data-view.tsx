/* A value as a table, as JSON and as it is. */
import { Check, Copy } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '@/lib/format/format';
import { IconButton } from './button';
import css from './layout.module.css';
import { Segments } from './tabs';

const ROWS = 200;
type View = 'table' | 'json' | 'raw';

const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

/** The rows of a list of objects, or of the only list in an object; null: it is no table. */
export function rowsOf(value: unknown): Record<string, unknown>[] | null {
    if (Array.isArray(value)) return value.length > 0 && value.every(isObject) ? value : null;
    if (!isObject(value)) return null;
    const lists = Object.values(value).filter((member) => Array.isArray(member));
    return lists.length === 1 ? rowsOf(lists[0]) : null;
}

const cell = (value: unknown): string =>
    value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

export function DataView({ value, label }: { value: unknown; label: string }) {
    const { t } = useTranslation();
    const rows = useMemo(() => rowsOf(value), [value]);
    const [chosen, setChosen] = useState<View | null>(null);
    const view = chosen ?? (rows === null ? 'json' : 'table');
    const text = useMemo(() => JSON.stringify(value, null, 2) as string | undefined, [value]);
    if (text === undefined) return <p className="muted">{t('data.empty')}</p>;
    return (
        <div>
            <div className={css.dataHead}>
                <Segments
                    label={`${label}: ${t('data.view')}`}
                    value={view}
                    options={(rows === null
                        ? (['json', 'raw'] as const)
                        : (['table', 'json', 'raw'] as const)
                    ).map((v) => ({
                        value: v,
                        label: t(`data.${v}`),
                    }))}
                    onChange={setChosen}
                />
                <CopyButton text={text} />
            </div>
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reached by keyboard */}
            <div className={css.data} role="region" aria-label={label} tabIndex={0}>
                {view === 'table' && rows !== null ? (
                    <Rows rows={rows} />
                ) : (
                    <pre>
                        {view === 'raw' ? (typeof value === 'string' ? value : JSON.stringify(value)) : text}
                    </pre>
                )}
            </div>
        </div>
    );
}

function Rows({ rows }: { rows: Record<string, unknown>[] }) {
    const { t } = useTranslation();
    const { number } = useFormats();
    const columns = useMemo(
        () => [...new Set(rows.slice(0, ROWS).flatMap((row) => Object.keys(row)))].slice(0, 50),
        [rows],
    );
    return (
        <table className={css.table}>
            <caption className="visually-hidden">{t('data.rows', { count: rows.length })}</caption>
            <thead>
                <tr>
                    {columns.map((column) => (
                        <th key={column} scope="col">
                            {column}
                        </th>
                    ))}
                </tr>
            </thead>
            <tbody>
                {rows.slice(0, ROWS).map((row, index) => (
                    <tr key={index}>
                        {columns.map((column) => (
                            <td key={column} title={cell(row[column])}>
                                {cell(row[column])}
                            </td>
                        ))}
                    </tr>
                ))}
            </tbody>
            {rows.length > ROWS && (
                <tfoot>
                    <tr>
                        <td colSpan={columns.length}>
                            {t('data.cut', { count: ROWS, number: number(rows.length) })}
                        </td>
                    </tr>
                </tfoot>
            )}
        </table>
    );
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
    const { t } = useTranslation();
    const [done, setDone] = useState(false);
    return (
        <IconButton
            small
            icon={done ? Check : Copy}
            label={done ? t('actions.copied') : (label ?? t('actions.copy'))}
            onClick={() => {
                void navigator.clipboard.writeText(text).then(() => {
                    setDone(true);
                    window.setTimeout(() => {
                        setDone(false);
                    }, 1500);
                });
            }}
        />
    );
}
