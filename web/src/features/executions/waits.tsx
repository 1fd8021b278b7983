/* What an execution waits for, and the ways to let it go on: the page of an approval, a signal, the other execution. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ExternalLink, Radio } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/lib/api/client';
import type { ExecutionDetail, Json } from '@/lib/api/models';
import { useMay } from '@/lib/auth/session';
import { useFormats } from '@/lib/format/format';
import { AnchorButton, Button } from '@/ui/button';
import { CopyButton } from '@/ui/data-view';
import { TextAreaField, TextField } from '@/ui/field';
import { FormDialog } from '@/ui/form-dialog';
import { Ago, Card } from '@/ui/layout';
import { say } from '@/ui/toast';
import { signal } from './api';
import css from './execution.module.css';

type Wait = ExecutionDetail['waits'][number];

export function Waits({ execution }: { execution: ExecutionDetail }) {
    const { t } = useTranslation('executions');
    const [sending, setSending] = useState<Wait | null>(null);
    if (execution.waits.length === 0) return null;
    return (
        <Card title={t('waits.title')} flush>
            <ul className={css.waits}>
                {execution.waits.map((wait) => (
                    <li key={`${wait.nodeId} ${wait.iteration}`}>
                        <What wait={wait} />
                        <Answer
                            wait={wait}
                            onSend={() => {
                                setSending(wait);
                            }}
                        />
                    </li>
                ))}
            </ul>
            {sending !== null && (
                <SignalDialog
                    executionId={execution.id}
                    wait={sending}
                    onClose={() => {
                        setSending(null);
                    }}
                />
            )}
        </Card>
    );
}

function What({ wait }: { wait: Wait }) {
    const { t } = useTranslation('executions');
    const { dateTime } = useFormats();
    const kinds = ['approval', 'signal', 'child', 'time'];
    const title =
        wait.kind === 'approval' && wait.title != null && wait.title !== ''
            ? wait.title
            : wait.kind === 'signal' && wait.name != null
              ? t('waits.signalNamed', { name: wait.name })
              : t(`waits.${kinds.includes(wait.kind) ? wait.kind : 'time'}`);
    return (
        <div>
            <strong>{title}</strong>
            <small>
                {t('waits.at', { node: wait.nodeId })}
                {wait.iteration !== '0' && <> · {t('waits.iteration', { iteration: wait.iteration })}</>}
                {wait.since !== null && (
                    <>
                        {' · '}
                        <Ago at={wait.since} />
                    </>
                )}
                {wait.until !== null && <> · {t('waits.until', { time: dateTime(wait.until) })}</>}
            </small>
        </div>
    );
}

function Answer({ wait, onSend }: { wait: Wait; onSend: () => void }) {
    const { t } = useTranslation('executions');
    const operator = useMay('operator');
    if (wait.executionId != null)
        return (
            <Link to="/executions/$executionId" params={{ executionId: wait.executionId }}>
                {t('waits.open')}
            </Link>
        );
    if (wait.kind !== 'approval' && wait.kind !== 'signal') return null;
    if (!operator) return <small>{t('waits.notYou')}</small>;
    if (wait.kind === 'signal')
        return (
            <Button small icon={Radio} onClick={onSend}>
                {t('waits.send')}
            </Button>
        );
    const { url } = wait;
    return url == null ? null : (
        <span className={css.answer}>
            <CopyButton text={new URL(url, window.location.origin).href} label={t('waits.copy')} />
            <AnchorButton
                small
                variant="primary"
                icon={ExternalLink}
                href={url}
                target="_blank"
                rel="noreferrer"
            >
                {t('waits.answer')}
            </AnchorButton>
        </span>
    );
}

function SignalDialog({
    executionId,
    wait,
    onClose,
}: {
    executionId: string;
    wait: Wait;
    onClose: () => void;
}) {
    const { t } = useTranslation('executions');
    const queries = useQueryClient();
    const [name, setName] = useState(wait.name ?? '');
    const [text, setText] = useState('');
    const send = useMutation({
        mutationFn: async () => {
            let payload: Json | undefined;
            try {
                payload = text.trim() === '' ? undefined : (JSON.parse(text) as Json);
            } catch (error) {
                const problem = error instanceof Error ? error.message : String(error);
                throw new ApiError(400, 'VALIDATION_ERROR', t('rerun.notJson', { problem }), 'payload');
            }
            await signal(executionId, {
                nodeId: wait.nodeId,
                iteration: wait.iteration,
                ...(name !== '' && { name }),
                ...(payload !== undefined && { payload }),
            });
            say(t('waits.sent'));
            await queries.invalidateQueries({ queryKey: ['execution', executionId] });
        },
    });
    return (
        <FormDialog
            title={t('waits.sendTitle')}
            description={t('waits.sendHelp', { node: wait.nodeId })}
            confirm={t('waits.send')}
            onClose={onClose}
            save={() => send.mutateAsync()}
        >
            {(problem) => (
                <>
                    <TextField
                        label={t('waits.name')}
                        value={name}
                        problem={problem('name')}
                        onChange={setName}
                    />
                    <TextAreaField
                        label={t('waits.payload')}
                        help={t('waits.payloadHelp')}
                        rows={6}
                        spellCheck={false}
                        value={text}
                        problem={problem('payload')}
                        onChange={setText}
                    />
                </>
            )}
        </FormDialog>
    );
}
