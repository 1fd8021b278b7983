/* Numbers, times and durations as people read them, in the page's language. */
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';

export interface Formats {
    number: (value: number, digits?: number) => string;
    percent: (value: number) => string;
    bytes: (value: number) => string;
    duration: (ms: number | null | undefined) => string;
    dateTime: (iso: string | number | null | undefined) => string;
    time: (iso: string | number) => string;
    /** Hours and minutes, for axes. */
    clock: (iso: string | number) => string;
    ago: (iso: string | number | null | undefined, now: number) => string;
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
];

export function formatsOf(language: string): Formats {
    const dateTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
    const time = new Intl.DateTimeFormat(language, { timeStyle: 'medium' });
    const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' });
    const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
    const number = (value: number, digits = 0): string =>
        new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
    return {
        number,
        percent: (value) =>
            new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(
                value / 100,
            ),
        bytes: (value) => {
            if (value < 1024) return `${number(value)} B`;
            if (value < 1024 ** 2) return `${number(value / 1024, 1)} KiB`;
            if (value < 1024 ** 3) return `${number(value / 1024 ** 2, 1)} MiB`;
            return `${number(value / 1024 ** 3, 2)} GiB`;
        },
        duration: (ms) => {
            if (ms === null || ms === undefined) return '–';
            if (ms < 1000) return `${number(ms)} ms`;
            if (ms < 60_000) return `${number(ms / 1000, ms < 10_000 ? 2 : 1)} s`;
            if (ms < 3_600_000)
                return `${number(Math.floor(ms / 60_000))} min ${number(Math.floor((ms % 60_000) / 1000))} s`;
            return `${number(Math.floor(ms / 3_600_000))} h ${number(Math.floor((ms % 3_600_000) / 60_000))} min`;
        },
        dateTime: (iso) => (iso === null || iso === undefined ? '–' : dateTime.format(new Date(iso))),
        clock: (iso) => clock.format(new Date(iso)),
        time: (iso) => time.format(new Date(iso)),
        ago: (iso, now) => {
            if (iso === null || iso === undefined) return '–';
            const difference = new Date(iso).getTime() - now;
            const found = units.find(([, size]) => Math.abs(difference) >= size) ?? ['second', 1000];
            return relative.format(Math.round(difference / found[1]), found[0]);
        },
    };
}

export function useFormats(): Formats {
    const { i18n } = useTranslation();
    return useMemo(() => formatsOf(i18n.language), [i18n.language]);
}
