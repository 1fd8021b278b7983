/* What a run is given. */
import { Play } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Json } from '@/lib/api/models';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { TextAreaField } from '@/ui/field';

export function RunDialog({
    busy,
    onClose,
    onRun,
}: {
    busy: boolean;
    onClose: () => void;
    onRun: (input: Json | undefined) => void;
}) {
    const { t } = useTranslation('editor');
    const [text, setText] = useState('');
    const [bad, setBad] = useState(false);
    const submit = (): void => {
        if (text.trim() === '') onRun(undefined);
        else
            try {
                onRun(JSON.parse(text) as Json);
            } catch {
                setBad(true);
            }
    };
    return (
        <Dialog
            open
            title={t('runTitle')}
            description={t('runHelp')}
            onClose={onClose}
            onSubmit={submit}
            footer={
                <Button type="submit" variant="primary" icon={Play} busy={busy}>
                    {t('run')}
                </Button>
            }
        >
            <TextAreaField
                label={t('runInput')}
                className="mono"
                value={text}
                problem={bad ? t('noJson') : null}
                onChange={(next) => {
                    setText(next);
                    setBad(false);
                }}
            />
        </Dialog>
    );
}
