/* The log lines of an execution, newest first. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '@/lib/format/format';
import { SelectField } from '@/ui/field';
import { Card, ErrorState, Loading, Toolbar } from '@/ui/layout';
import { getLogs } from './api';
import css from './execution.module.css';

const levels = ['debug', 'info', 'warn', 'error'] as const;

export function Logs({ executionId, live }: { executionId: string; live: boolean }) {
    const { t } = useTranslation('executions');
    const { time, dateTime } = useFormats();
    const [level, setLevel] = useState('');
    const logs = useQuery({
        queryKey: ['execution', executionId, 'logs', level],
        queryFn: ({ signal }) => getLogs(executionId, level, signal),
        ...(live && { refetchInterval: 2000 }),
    });
    return (
        <>
            <Toolbar>
                <SelectField
                    label={t('level')}
                    hideLabel
                    value={level}
                    onChange={setLevel}
                    options={[
                        { value: '', label: t('anyLevel') },
                        ...levels.map((value) => ({ value, label: t(`levels.${value}`) })),
                    ]}
                />
            </Toolbar>
            <Card>
                {logs.isPending && <Loading />}
                {logs.isError && <ErrorState error={logs.error} onRetry={() => void logs.refetch()} />}
                {logs.isSuccess && logs.data.length === 0 && <p className="muted">{t('noLogs')}</p>}
                {logs.isSuccess && logs.data.length > 0 && (
                    <ol className={css.logs}>
                        {logs.data.map((line, index) => (
                            <li key={index} data-level={line.level}>
                                <time dateTime={line.timestamp} title={dateTime(line.timestamp)}>
                                    {time(line.timestamp)}
                                </time>
                                <b>{line.nodeId ?? t(`levels.${line.level}`)}</b>
                                <p>{line.message}</p>
                            </li>
                        ))}
                    </ol>
                )}
            </Card>
        </>
    );
}
