/* A chart over time: lines that are drawn once uPlot is there, what they say in words, and the same as a table. */
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '@/lib/format/format';
import { Card } from './layout';
import css from './chart.module.css';
import { Table } from './table';

const Plot = lazy(() => import('./plot'));

export interface Series {
    label: string;
    /** Of the colours in tokens.css. */
    tone: 'accent' | 'success' | 'danger' | 'warning' | 'running' | 'waiting';
    dashed?: boolean;
    filled?: boolean;
    values: (number | null)[];
}
export interface ChartProps {
    /** Milliseconds, rising. */
    times: number[];
    series: Series[];
    format: (value: number) => string;
    /** Of the vertical axis; without it, what the values need. */
    max?: number;
    onPoint?: (index: number | null) => void;
}
const ROWS = 20;

export function ChartCard({ title, ...chart }: ChartProps & { title: string }) {
    const { t } = useTranslation();
    const { time } = useFormats();
    const { times, series, format } = chart;
    const [point, setPoint] = useState<number | null>(null);
    const at = point !== null && point < times.length ? point : times.length - 1;
    const said = (one: Series, index: number): string => {
        const value = one.values[index];
        return value === null || value === undefined ? '–' : format(value);
    };
    const rows = times.map((_, index) => index).slice(-ROWS);
    return (
        <Card
            title={title}
            actions={
                <span className={css.at}>{times[at] !== undefined && <time>{time(times[at])}</time>}</span>
            }
        >
            <ul className={css.legend}>
                {series.map((one) => (
                    <li key={one.label} data-tone={one.tone} data-dashed={one.dashed}>
                        <i aria-hidden />
                        {one.label} <b className="num">{said(one, at)}</b>
                    </li>
                ))}
            </ul>
            <div aria-hidden className={css.frame}>
                <Suspense fallback={null}>
                    <Plot {...chart} onPoint={setPoint} />
                </Suspense>
            </div>
            <details className={css.details}>
                <summary>{t('chart.table')}</summary>
                <Table
                    label={title}
                    rows={rows.reverse()}
                    rowKey={(index) => String(times[index])}
                    columns={[
                        { head: t('chart.at'), cell: (index) => time(times[index] ?? 0) },
                        ...series.map((one) => ({
                            head: one.label,
                            end: true,
                            cell: (index: number) => said(one, index),
                        })),
                    ]}
                />
            </details>
        </Card>
    );
}
