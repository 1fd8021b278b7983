/* Search that goes anywhere: pages, flows, actions. */
import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Keyboard, Plus, Waypoints, type LucideIcon } from 'lucide-react';
import { useEffect, useId, useMemo, useState, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { FlowSummary, Page } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { matches } from '@/lib/format/matches';
import { destinations } from './navigation';
import { openKeyboardHelp, useOpened } from './opened';
import css from './palette.module.css';

interface Entry {
    group: string;
    label: string;
    icon: LucideIcon;
    hint?: string;
    keys?: string;
    run: () => void;
}

function useEntries(query: string): Entry[] {
    const { t } = useTranslation();
    const navigate = useNavigate();
    const editor = useMay('editor');
    const operator = useMay('operator');
    const search = query.trim();
    const flows = useQuery({
        queryKey: ['flows', 'palette', search],
        queryFn: ({ signal }) =>
            call<Page<FlowSummary>>(
                'GET',
                `/api/v1/flows?limit=8${search === '' ? '' : `&search=${encodeURIComponent(search)}`}`,
                undefined,
                signal,
            ),
        placeholderData: (former) => former,
    });
    return useMemo(() => {
        const pages = destinations
            .filter((d) => d.role === undefined || operator)
            .map((d) => ({
                group: t('palette.pages'),
                label: t(`nav.${d.name}`),
                icon: d.icon,
                keys: `g ${d.letter}`,
                run: () => void navigate({ to: d.to }),
            }));
        const actions: Entry[] = [
            ...(editor
                ? [
                      {
                          group: t('palette.actions'),
                          label: t('palette.newFlow'),
                          icon: Plus,
                          run: () => void navigate({ to: '/flows/$flowId', params: { flowId: 'new' } }),
                      },
                  ]
                : []),
            {
                group: t('palette.actions'),
                label: t('palette.keys'),
                icon: Keyboard,
                keys: '?',
                run: openKeyboardHelp,
            },
        ];
        // Those of the former search stay until the answer comes, but Enter must not open one that does not fit.
        const found = (flows.data?.data ?? [])
            .filter((flow) => !flows.isPlaceholderData || matches(flow.name, search))
            .map((flow) => ({
                group: t('palette.flows'),
                label: flow.name,
                icon: Waypoints,
                hint: t(`status.${flow.status}`),
                run: () => void navigate({ to: '/flows/$flowId', params: { flowId: flow.id } }),
            }));
        return [...[...pages, ...actions].filter((entry) => matches(entry.label, search)), ...found];
    }, [t, navigate, editor, operator, search, flows.data, flows.isPlaceholderData]);
}

export function Palette() {
    const { t } = useTranslation();
    const open = useOpened((s) => s.palette);
    return (
        <Dialog.Root
            open={open}
            onOpenChange={(next) => {
                useOpened.setState({ palette: next });
            }}
        >
            <Dialog.Portal>
                <Dialog.Backdrop className={css.backdrop} />
                <Dialog.Popup className={css.dialog} aria-label={t('palette.title')}>
                    <Search />
                </Dialog.Popup>
            </Dialog.Portal>
        </Dialog.Root>
    );
}

function Search() {
    const { t } = useTranslation();
    const id = useId();
    const [query, setQuery] = useState('');
    const [chosen, setChosen] = useState(0);
    const entries = useEntries(query);
    const at = Math.min(chosen, entries.length - 1);
    useEffect(() => {
        document.getElementById(`${id}-${String(at)}`)?.scrollIntoView({ block: 'nearest' });
    }, [at, id]);
    const run = (entry: Entry | undefined): void => {
        if (entry === undefined) return;
        useOpened.setState({ palette: false });
        entry.run();
    };
    const onKey = (event: KeyboardEvent): void => {
        if (event.key === 'ArrowDown') setChosen((at + 1) % Math.max(1, entries.length));
        else if (event.key === 'ArrowUp') setChosen((at - 1 + entries.length) % Math.max(1, entries.length));
        else if (event.key === 'Enter') run(entries[at]);
        else return;
        event.preventDefault();
    };
    return (
        <>
            <input
                autoFocus
                role="combobox"
                aria-expanded
                aria-controls={`${id}-list`}
                aria-autocomplete="list"
                {...(at >= 0 && { 'aria-activedescendant': `${id}-${String(at)}` })}
                aria-label={t('palette.placeholder')}
                placeholder={t('palette.placeholder')}
                className={css.input}
                value={query}
                onKeyDown={onKey}
                onChange={(event) => {
                    setQuery(event.target.value);
                    setChosen(0);
                }}
            />
            <div id={`${id}-list`} role="listbox" aria-label={t('palette.title')} className={css.list}>
                {entries.map((entry, index) => (
                    <div key={`${entry.group} ${entry.label} ${String(index)}`}>
                        {entries[index - 1]?.group !== entry.group && (
                            <div className={css.group} aria-hidden>
                                {entry.group}
                            </div>
                        )}
                        {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the input has the keys */}
                        <div
                            id={`${id}-${String(index)}`}
                            role="option"
                            aria-selected={index === at}
                            className={css.option}
                            onMouseMove={() => {
                                setChosen(index);
                            }}
                            onClick={() => {
                                run(entry);
                            }}
                        >
                            <entry.icon size={16} aria-hidden />
                            {entry.label}
                            {entry.hint !== undefined && <small>{entry.hint}</small>}
                            {entry.keys !== undefined && <kbd>{entry.keys}</kbd>}
                        </div>
                    </div>
                ))}
                {entries.length === 0 && <div className={css.none}>{t('palette.none')}</div>}
            </div>
            <div className={css.hint}>{t('palette.hint')}</div>
        </>
    );
}
