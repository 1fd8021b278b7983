import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Page as PageOf } from '@/lib/api/models';
import { useFormats } from '@/lib/format/format';
import { Card, ErrorState, Loading, Pager, TableScroll, tableClass } from '@/ui/layout';

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
        <Card title={t('audit')} flush>
            {entries.isPending && <Loading />}
            {entries.isError && <ErrorState error={entries.error} onRetry={() => void entries.refetch()} />}
            {entries.isSuccess && (
                <>
                    <TableScroll label={t('entries')}>
                        <table className={tableClass}>
                            <thead>
                                <tr>
                                    <th scope="col">{t('when')}</th>
                                    <th scope="col">{t('who')}</th>
                                    <th scope="col">{t('what')}</th>
                                    <th scope="col">{t('target')}</th>
                                    <th scope="col">{t('address')}</th>
                                </tr>
                            </thead>
                            <tbody>
                                {entries.data.data.map((entry) => (
                                    <tr key={entry.id}>
                                        <td className="num">{dateTime(entry.at)}</td>
                                        <td>{entry.actor}</td>
                                        <td>
                                            <code>{entry.action}</code>
                                        </td>
                                        <td>{entry.target ?? '–'}</td>
                                        <td>{entry.address ?? '–'}</td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </TableScroll>
                    <Pager page={page} limit={LIMIT} total={entries.data.pagination.total} onPage={setPage} />
                </>
            )}
        </Card>
    );
}
