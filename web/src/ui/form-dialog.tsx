/* A dialog that saves: what the service refuses is shown at its field. */
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '@/lib/api/client';
import { useSaid } from '@/lib/said/said';
import { Button } from './button';
import { Dialog } from './dialog';
import { Failure } from './layout';
import css from './form-dialog.module.css';

export function FormDialog({
    title,
    description,
    confirm,
    onClose,
    save,
    children,
}: {
    title: string;
    description?: string;
    confirm: string;
    onClose: () => void;
    save: () => Promise<void>;
    /** `problem` gives what was refused of a field, and marks it as shown there. */
    children: (problem: (field: string) => string | null) => ReactNode;
}) {
    const { t } = useTranslation();
    const said = useSaid();
    const [refused, setRefused] = useState<Error | null>(null);
    const [busy, setBusy] = useState(false);
    const shown = new Set<string>();
    const problem = (field: string): string | null => {
        shown.add(field);
        return refused instanceof ApiError && refused.field === field ? said(refused.message) : null;
    };
    const submit = async (): Promise<void> => {
        setBusy(true);
        try {
            await save();
            onClose();
        } catch (error) {
            setRefused(error instanceof Error ? error : new Error(String(error)));
        } finally {
            setBusy(false);
        }
    };
    const fields = children(problem);
    const elsewhere = refused instanceof ApiError ? !shown.has(refused.field ?? '') : refused !== null;
    return (
        <Dialog
            open
            title={title}
            {...(description !== undefined && { description })}
            onClose={onClose}
            onSubmit={() => void submit()}
            footer={
                <>
                    <Button onClick={onClose}>{t('actions.cancel')}</Button>
                    <Button variant="primary" type="submit" busy={busy}>
                        {confirm}
                    </Button>
                </>
            }
        >
            <div className={css.form}>
                {elsewhere && refused !== null && <Failure error={refused} />}
                {fields}
            </div>
        </Dialog>
    );
}
