/* What pages are made of: header, cards, tables, empty and failed states. */
import { CircleAlert, type LucideIcon } from 'lucide-react';
import { useEffect, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '@/lib/format/format';
import { SaidError, titleOf } from '@/lib/said/said';
import { Button } from './button';
import css from './layout.module.css';

export const tableClass = css.table ?? '';

/** `title` is the document's too. */
export function Page({
    title,
    lead,
    crumb,
    actions,
    children,
}: {
    title: string;
    lead?: ReactNode;
    crumb?: ReactNode;
    actions?: ReactNode;
    children: ReactNode;
}) {
    useTitle(title);
    return (
        <div className={css.page}>
            <header className={css.header}>
                <div>
                    {crumb !== undefined && <span className={css.crumb}>{crumb}</span>}
                    <h1>{title}</h1>
                    {lead !== undefined && <p className={css.lead}>{lead}</p>}
                </div>
                {actions !== undefined && <div className={css.actions}>{actions}</div>}
            </header>
            {children}
        </div>
    );
}

export function useTitle(title: string): void {
    useEffect(() => {
        document.title = `${title} · Caudal`;
    }, [title]);
}

export function Toolbar({ children }: { children: ReactNode }) {
    return <div className={css.toolbar}>{children}</div>;
}

export function Card({
    title,
    actions,
    flush,
    children,
}: {
    title?: string;
    actions?: ReactNode;
    /** Without padding: for tables. */
    flush?: boolean;
    children: ReactNode;
}) {
    return (
        <section className={css.card} {...(title !== undefined && { 'aria-label': title })}>
            {title !== undefined && (
                <div className={css.cardHead}>
                    <h2>{title}</h2>
                    {actions}
                </div>
            )}
            <div className={flush ? undefined : css.cardBody}>{children}</div>
        </section>
    );
}

/** A table that scrolls by itself on a narrow screen; by keyboard too. */
export function TableScroll({ label, children }: { label: string; children: ReactNode }) {
    return (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reached by keyboard
        <div className={css.scroll} role="group" aria-label={label} tabIndex={0}>
            {children}
        </div>
    );
}

/** Says what would be here, and leads to the first of it. */
export function EmptyState({
    icon: Icon,
    title,
    top,
    children,
    actions,
}: {
    icon: LucideIcon;
    title: string;
    /** It is all there is of the page. */
    top?: boolean;
    children?: ReactNode;
    actions?: ReactNode;
}) {
    const Heading = top === true ? 'h1' : 'h2';
    return (
        <div className={css.empty}>
            <Icon size={34} strokeWidth={1.4} aria-hidden />
            <Heading>{title}</Heading>
            {children !== undefined && <p>{children}</p>}
            {actions !== undefined && <div className={css.emptyActions}>{actions}</div>}
        </div>
    );
}

export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
    const { t } = useTranslation();
    return (
        <div className={css.empty} role="alert">
            <CircleAlert size={34} strokeWidth={1.4} aria-hidden />
            <h2>{titleOf(error)}</h2>
            <p>
                <SaidError error={error} />
            </p>
            {onRetry !== undefined && <Button onClick={onRetry}>{t('actions.retry')}</Button>}
        </div>
    );
}

export function Notice({ tone = 'bad', children }: { tone?: 'bad' | 'warn' | 'info'; children: ReactNode }) {
    return (
        <div className={css.notice} data-tone={tone} role={tone === 'info' ? 'status' : 'alert'}>
            <CircleAlert size={16} aria-hidden />
            <div>{children}</div>
        </div>
    );
}

/** What went wrong, beside what is there all the same: an error, or a sentence of the service. */
export function Failure({ tone, error }: { tone?: 'bad' | 'warn'; error: unknown }) {
    return (
        <Notice {...(tone !== undefined && { tone })}>
            <SaidError error={error} />
        </Notice>
    );
}

/** Grey lines where text will be; not before a moment has passed. */
export function Loading({ lines = 5 }: { lines?: number }) {
    const { t } = useTranslation();
    const [shown, setShown] = useState(false);
    useEffect(() => {
        const timer = window.setTimeout(() => {
            setShown(true);
        }, 150);
        return () => {
            window.clearTimeout(timer);
        };
    }, []);
    return (
        <div className={css.skeleton} role="status">
            <span className="visually-hidden">{t('loading')}</span>
            {shown && Array.from({ length: lines }, (_, i) => <i key={i} />)}
        </div>
    );
}

const tones: Record<string, string> = {
    success: 'good',
    succeeded: 'good',
    active: 'good',
    enabled: 'good',
    online: 'good',
    healthy: 'good',
    failed: 'bad',
    timeout: 'bad',
    unhealthy: 'bad',
    offline: 'bad',
    running: 'live',
    waiting: 'wait',
    paused: 'warn',
    degraded: 'warn',
    draining: 'warn',
};
/** A state by colour, mark and word. */
export function Status({ status }: { status: string }) {
    const { t } = useTranslation();
    return (
        <span className={css.badge} data-tone={tones[status] ?? 'plain'} data-status={status}>
            {t(`status.${status}`, { defaultValue: status })}
        </span>
    );
}

export function Pager({
    page,
    limit,
    total,
    onPage,
}: {
    page: number;
    limit: number;
    total: number;
    onPage: (page: number) => void;
}) {
    const { t } = useTranslation();
    const { number } = useFormats();
    const last = Math.max(1, Math.ceil(total / limit));
    if (total <= limit && page === 1) return null;
    return (
        <nav className={css.pager} aria-label={t('pager.label')}>
            <span className="num">
                {t('pager.of', {
                    from: number((page - 1) * limit + 1),
                    to: number(Math.min(page * limit, total)),
                    total: number(total),
                })}
            </span>
            <Button
                small
                disabled={page <= 1}
                onClick={() => {
                    onPage(page - 1);
                }}
            >
                {t('pager.previous')}
            </Button>
            <Button
                small
                disabled={page >= last}
                onClick={() => {
                    onPage(page + 1);
                }}
            >
                {t('pager.next')}
            </Button>
        </nav>
    );
}

/** A time that people understand, with the exact one at hand. */
export function Ago({ at }: { at: string | number | null | undefined }) {
    const { ago, dateTime } = useFormats();
    const now = useNow();
    if (at === null || at === undefined) return <>–</>;
    return (
        <time dateTime={new Date(at).toISOString()} title={dateTime(at)}>
            {ago(at, now)}
        </time>
    );
}

export function useNow(everyMs = 10_000): number {
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = window.setInterval(() => {
            setNow(Date.now());
        }, everyMs);
        return () => {
            window.clearInterval(timer);
        };
    }, [everyMs]);
    return now;
}
