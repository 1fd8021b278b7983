import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ScrollText } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Page as PageOf } from '@/lib/api/models';
import { useFormats } from '@/lib/format/format';
import { EmptyState } from '@/ui/layout';
import { ListCard } from '@/ui/table';

interface Entry {
    id: string;
    at: string;
    actor: string;
    action: string;
    target: string | null;
    address: string | null;
}
const LIMIT = 50;

export function Audit() {
    const { t } = useTranslation('access');
    const { dateTime } = useFormats();
    const [page, setPage] = useState(1);
    const entries = useQuery({
        queryKey: ['audit', page],
        queryFn: ({ signal }) =>
            call<PageOf<Entry>>(
                'GET',
                `/api/v1/audit?page=${String(page)}&limit=${String(LIMIT)}`,
                undefined,
                signal,
            ),
        placeholderData: keepPreviousData,
    });
    return (
        <ListCard
            title={t('audit')}
            label={t('entries')}
            query={entries}
            rowKey={(entry) => entry.id}
            onPage={setPage}
            empty={
                <EmptyState icon={ScrollText} title={t('noEntries.title')}>
                    {t('noEntries.help')}
                </EmptyState>
            }
            columns={[
                { head: t('when'), cell: (entry) => <span className="num">{dateTime(entry.at)}</span> },
                { head: t('who'), cell: (entry) => entry.actor },
                { head: t('what'), cell: (entry) => <code>{entry.action}</code> },
                { head: t('target'), cell: (entry) => entry.target ?? '–' },
                { head: t('address'), cell: (entry) => entry.address ?? '–' },
            ]}
        />
    );
}
