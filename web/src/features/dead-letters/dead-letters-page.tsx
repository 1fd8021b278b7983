/* Messages that could not be handled: why, what was in them; sent again or put away. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { MailX, RotateCcw, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '@/lib/api/client';
import type { Json, Page as PageOf } from '@/lib/api/models';
import { Said } from '@/lib/said/said';
import { useAct } from '@/ui/act';
import { Button } from '@/ui/button';
import { DataView } from '@/ui/data-view';
import { Dialog } from '@/ui/dialog';
import { Ago, EmptyState, Page, Toolbar } from '@/ui/layout';
import { Buttons, ListCard } from '@/ui/table';
import { Segments } from '@/ui/tabs';
import { say } from '@/ui/toast';

interface DeadLetter {
    id: string;
    executionId?: string | null;
    /** The execution that goes on in its place. */
    retriedAs?: string | null;
    queue?: string | null;
    reason: string;
    payload?: Json;
    status: string;
    createdAt?: string | null;
}
/** What failed with its execution goes on in another one; a message goes to its queue again. */
const isOfFailed = (letter: DeadLetter): boolean => letter.queue == null && letter.executionId != null;
const base = '/api/v1/dead-letters';
const LIMIT = 20;
const states = ['open', 'retried', 'discarded'] as const;

export function DeadLettersPage() {
    const { t } = useTranslation('dead-letters');
    const [state, setState] = useState<(typeof states)[number]>('open');
    const [page, setPage] = useState(1);
    const [shown, setShown] = useState<DeadLetter | null>(null);
    const act = useAct('dead-letters');
    const letters = useQuery({
        queryKey: ['dead-letters', state, page],
        queryFn: ({ signal }) =>
            call<PageOf<DeadLetter>>(
                'GET',
                `${base}?status=${state}&page=${String(page)}&limit=${String(LIMIT)}`,
                undefined,
                signal,
            ),
        placeholderData: keepPreviousData,
        refetchInterval: 15_000,
    });
    const navigate = useNavigate();
    const close = (id: string, verb: 'retry' | 'discard'): void =>
        void act.run(async () => {
            const closed = await call<DeadLetter>('POST', `${base}/${encodeURIComponent(id)}/${verb}`);
            const executionId = closed.retriedAs;
            if (executionId == null) say(t(verb === 'retry' ? 'retried' : 'discarded'));
            else
                say(t('goesOn'), {
                    label: t('show'),
                    onSelect: () =>
                        void navigate({ to: '/executions/$executionId', params: { executionId } }),
                });
        });
    return (
        <Page title={t('title')} lead={t('lead')}>
            <Toolbar>
                <Segments
                    label={t('state')}
                    value={state}
                    options={states.map((value) => ({ value, label: t(`states.${value}`) }))}
                    onChange={(value) => {
                        setState(value);
                        setPage(1);
                    }}
                />
            </Toolbar>
            <ListCard
                label={t('title')}
                query={letters}
                rowKey={(letter) => letter.id}
                onPage={setPage}
                empty={
                    <EmptyState icon={MailX} title={t('empty.title')}>
                        {t('empty.help')}
                    </EmptyState>
                }
                columns={[
                    { head: t('reason'), cell: (letter) => <Said>{letter.reason}</Said> },
                    { head: t('queue'), cell: (letter) => <code>{letter.queue ?? '–'}</code> },
                    {
                        head: t('execution'),
                        cell: (letter) => (
                            <>
                                {letter.executionId ? <ExecutionLink id={letter.executionId} /> : '–'}
                                {letter.retriedAs != null && (
                                    <div>
                                        {t('goesOnAs')} <ExecutionLink id={letter.retriedAs} />
                                    </div>
                                )}
                            </>
                        ),
                    },
                    { head: t('at'), cell: (letter) => <Ago at={letter.createdAt} /> },
                    {
                        head: t('actions'),
                        hideHead: true,
                        end: true,
                        cell: (letter) => (
                            <Buttons>
                                <Button
                                    small
                                    variant="ghost"
                                    onClick={() => {
                                        setShown(letter);
                                    }}
                                >
                                    {t('look')}
                                </Button>
                                {letter.status === 'open' && (
                                    <>
                                        <Button
                                            small
                                            icon={RotateCcw}
                                            busy={act.busy}
                                            onClick={() => {
                                                close(letter.id, 'retry');
                                            }}
                                        >
                                            {t(isOfFailed(letter) ? 'goOn' : 'retry')}
                                        </Button>
                                        <Button
                                            small
                                            variant="ghost"
                                            icon={X}
                                            busy={act.busy}
                                            onClick={() => {
                                                close(letter.id, 'discard');
                                            }}
                                        >
                                            {t('discard')}
                                        </Button>
                                    </>
                                )}
                            </Buttons>
                        ),
                    },
                ]}
            />
            {shown !== null && (
                <Dialog
                    open
                    wide
                    title={t('payload')}
                    description={<Said>{shown.reason}</Said>}
                    onClose={() => {
                        setShown(null);
                    }}
                >
                    <DataView label={t('payload')} value={shown.payload} />
                </Dialog>
            )}
        </Page>
    );
}

function ExecutionLink({ id }: { id: string }) {
    return (
        <Link to="/executions/$executionId" params={{ executionId: id }}>
            <code>…{id.slice(-8)}</code>
        </Link>
    );
}
