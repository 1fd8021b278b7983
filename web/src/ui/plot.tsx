/* The drawing of a chart with uPlot. Loaded when a chart is shown: see chart.tsx. */
import { useEffect, useRef, useState } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useFormats } from '@/lib/format/format';
import type { ChartProps } from './chart';
import css from './chart.module.css';

const HEIGHT = 170;
const token = (name: string): string =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Changes when the theme does: what is drawn takes its colours when it is made. */
function useThemeCount(): number {
    const [count, setCount] = useState(0);
    useEffect(() => {
        const again = (): void => {
            setCount((n) => n + 1);
        };
        const dark = window.matchMedia('(prefers-color-scheme: dark)');
        const chosen = new MutationObserver(again);
        chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
        dark.addEventListener('change', again);
        return () => {
            chosen.disconnect();
            dark.removeEventListener('change', again);
        };
    }, []);
    return count;
}

export default function Plot({ times, series, format, max, onPoint }: ChartProps) {
    const holder = useRef<HTMLDivElement>(null);
    const plot = useRef<UPlot | null>(null);
    const latest = useRef({ times, series, format, onPoint });
    latest.current = { times, series, format, onPoint };
    const { clock, time } = useFormats();
    const theme = useThemeCount();
    const shape = series.map((one) => one.tone).join();
    const data = (): UPlot.AlignedData => [
        latest.current.times.map((ms) => ms / 1000),
        ...latest.current.series.map((one) => one.values),
    ];
    useEffect(() => {
        const element = holder.current;
        if (element === null) return undefined;
        const font = `11px ${token('font')}`;
        const axis = { stroke: token('text-3'), font, ticks: { show: false }, gap: 6 };
        plot.current = new UPlot(
            {
                width: element.clientWidth,
                height: HEIGHT,
                legend: { show: false },
                padding: [8, 8, 0, 0],
                cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
                scales: {
                    x: { time: true },
                    y: {
                        range: (_, __, high) => [
                            0,
                            max ?? (Number.isFinite(high) && high > 0 ? high * 1.12 : 1),
                        ],
                    },
                },
                axes: [
                    {
                        ...axis,
                        grid: { show: false },
                        size: 26,
                        space: 80,
                        // Minutes are too coarse for a few of them.
                        values: (_, splits, __, ___, step) =>
                            splits.map((second) => (step < 60 ? time : clock)(second * 1000)),
                    },
                    {
                        ...axis,
                        grid: { stroke: token('line'), width: 1 },
                        size: 58,
                        space: 34,
                        values: (_, splits) => splits.map((value) => latest.current.format(value)),
                    },
                ],
                series: [
                    {},
                    ...latest.current.series.map((one) => ({
                        stroke: token(one.tone),
                        width: 1.75,
                        spanGaps: true,
                        points: { show: false },
                        ...(one.filled === true && { fill: `${token(one.tone)}22` }),
                        ...(one.dashed === true && { dash: [5, 4] }),
                    })),
                ],
                hooks: {
                    setCursor: [
                        ({ cursor: { idx } }) => {
                            latest.current.onPoint?.(idx ?? null);
                        },
                    ],
                },
            },
            data(),
            element,
        );
        const sizes = new ResizeObserver(() => {
            plot.current?.setSize({ width: element.clientWidth, height: HEIGHT });
        });
        sizes.observe(element);
        return () => {
            sizes.disconnect();
            plot.current?.destroy();
            plot.current = null;
        };
    }, [theme, shape, clock, time, max]);
    useEffect(() => {
        plot.current?.setData(data());
    }, [times, series]);
    return <div ref={holder} className={css.plot} />;
}
