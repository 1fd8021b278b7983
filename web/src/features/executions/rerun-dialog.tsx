/* Once more, with the same input or another. */
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/lib/api/client';
import type { ExecutionDetail, Json } from '@/lib/api/models';
import { SelectField, TextAreaField } from '@/ui/field';
import { FormDialog } from '@/ui/form-dialog';
import { say } from '@/ui/toast';
import { rerun } from './api';

export function RerunDialog({ execution, onClose }: { execution: ExecutionDetail; onClose: () => void }) {
    const { t } = useTranslation('executions');
    const navigate = useNavigate();
    const before = JSON.stringify(execution.input ?? null, null, 2);
    const [text, setText] = useState(before);
    const [version, setVersion] = useState<'newest' | 'same'>('newest');
    const save = async (): Promise<void> => {
        let input: Json;
        try {
            input = JSON.parse(text) as Json;
        } catch (error) {
            const problem = error instanceof Error ? error.message : String(error);
            throw new ApiError(400, 'VALIDATION_ERROR', t('rerun.notJson', { problem }), 'input');
        }
        const { executionId } = await rerun(execution.id, { version, ...(text !== before && { input }) });
        say(t('rerun.started'));
        await navigate({ to: '/executions/$executionId', params: { executionId } });
    };
    return (
        <FormDialog
            title={t('rerun.title')}
            description={t('rerun.help')}
            confirm={t('rerun.run')}
            onClose={onClose}
            save={save}
        >
            {(problem) => (
                <>
                    <TextAreaField
                        label={t('rerun.input')}
                        rows={10}
                        spellCheck={false}
                        value={text}
                        problem={problem('input')}
                        onChange={setText}
                    />
                    <SelectField
                        label={t('rerun.version')}
                        value={version}
                        problem={problem('version')}
                        onChange={setVersion}
                        options={[
                            { value: 'newest', label: t('rerun.newest') },
                            { value: 'same', label: t('rerun.same', { version: execution.flowVersion }) },
                        ]}
                    />
                </>
            )}
        </FormDialog>
    );
}
