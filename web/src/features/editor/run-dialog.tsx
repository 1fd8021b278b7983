/* What a run is given: its input, the trigger, and whether pinned data stands for nodes. */
import { Play } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Json } from '@/lib/api/models';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { SelectField, Switch, TextAreaField } from '@/ui/field';

export interface RunWish {
    input: Json | undefined;
    triggerNode?: string;
    untilNode?: string;
    usePins: boolean;
}

export function RunDialog({
    busy,
    again,
    given,
    triggers,
    pinned,
    onClose,
    onRun,
}: {
    busy: boolean;
    /** An execution is run once more: only its input is asked for. */
    again: boolean;
    given: Json | undefined;
    triggers: string[];
    /** How many nodes have pinned data. */
    pinned: number;
    onClose: () => void;
    onRun: (wish: RunWish) => void;
}) {
    const { t } = useTranslation('editor');
    const [text, setText] = useState(() => (given === undefined ? '' : JSON.stringify(given, null, 2)));
    const [bad, setBad] = useState(false);
    const [trigger, setTrigger] = useState(triggers[0] ?? '');
    const [usePins, setUsePins] = useState(true);
    const submit = (): void => {
        const wish = {
            usePins,
            ...(triggers.length > 1 && trigger !== '' && { triggerNode: trigger }),
        };
        if (text.trim() === '') onRun({ input: undefined, ...wish });
        else
            try {
                onRun({ input: JSON.parse(text) as Json, ...wish });
            } catch {
                setBad(true);
            }
    };
    return (
        <Dialog
            open
            title={again ? t('again.title') : t('runTitle')}
            description={again ? t('again.help') : t('runHelp')}
            onClose={onClose}
            onSubmit={submit}
            footer={
                <Button type="submit" variant="primary" icon={Play} busy={busy}>
                    {t('run')}
                </Button>
            }
        >
            {!again && triggers.length > 1 && (
                <SelectField
                    label={t('runTrigger')}
                    value={trigger}
                    options={triggers.map((id) => ({ value: id, label: id }))}
                    onChange={setTrigger}
                />
            )}
            <TextAreaField
                label={t('runInput')}
                className="mono"
                rows={8}
                value={text}
                problem={bad ? t('notJson') : null}
                onChange={(next) => {
                    setText(next);
                    setBad(false);
                }}
            />
            {!again && pinned > 0 && (
                <Switch
                    label={t('pin.use', { count: pinned })}
                    help={t('pin.useHelp')}
                    checked={usePins}
                    onChange={setUsePins}
                />
            )}
        </Dialog>
    );
}
