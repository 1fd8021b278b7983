/* A variable or a secret, new or with another value. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Json } from '@/lib/api/models';
import { ApiError } from '@/lib/api/client';
import { TextAreaField, TextField } from '@/ui/field';
import { FormDialog } from '@/ui/form-dialog';
import { say } from '@/ui/toast';
import { changeOne, createOne, examples, type Kind } from './api';

export interface Edited {
    /** '': a new one. */
    name: string;
    value: Json;
    description: string | null;
}

/** JSON where it is JSON, text otherwise: nobody should have to quote a name. */
export function valueOf(text: string): Json {
    try {
        return JSON.parse(text) as Json;
    } catch {
        return text;
    }
}
export const textOf = (value: Json): string =>
    typeof value === 'string' && typeof valueOf(value) === 'string' ? value : JSON.stringify(value, null, 2);

export function ValueDialog({
    kind,
    flowId,
    edited,
    onClose,
}: {
    kind: Kind;
    flowId: string;
    edited: Edited;
    onClose: () => void;
}) {
    const { t } = useTranslation('variables');
    const isNew = edited.name === '';
    const [name, setName] = useState(edited.name);
    const [text, setText] = useState(isNew || kind === 'secrets' ? '' : textOf(edited.value));
    const [description, setDescription] = useState(edited.description ?? '');
    const save = async (): Promise<void> => {
        const body = {
            value: kind === 'secrets' ? text : valueOf(text),
            description: description.trim() === '' ? null : description.trim(),
        };
        if (isNew && name === '') throw new ApiError(400, 'VALIDATION_ERROR', t('nameNeeded'), 'name');
        if (isNew) await createOne(kind, flowId, { name, ...body });
        else await changeOne(kind, flowId, name, body);
        say(t('saved', { name }));
    };
    return (
        <FormDialog
            title={isNew ? t(`${kind}.new`) : t('changeOf', { name })}
            confirm={t('common:actions.save')}
            onClose={onClose}
            save={save}
        >
            {(problem) => (
                <>
                    {isNew && (
                        <TextField
                            label={t('name')}
                            help={t(`${kind}.nameHelp`, examples)}
                            autoComplete="off"
                            spellCheck={false}
                            maxLength={64}
                            value={name}
                            problem={problem('name')}
                            onChange={setName}
                        />
                    )}
                    {kind === 'secrets' ? (
                        <TextField
                            label={t('value')}
                            help={t(isNew ? 'secrets.valueHelp' : 'secrets.newValueHelp')}
                            type="password"
                            autoComplete="new-password"
                            value={text}
                            problem={problem('value')}
                            onChange={setText}
                        />
                    ) : (
                        <TextAreaField
                            label={t('value')}
                            help={t('variables.valueHelp')}
                            rows={4}
                            spellCheck={false}
                            value={text}
                            problem={problem('value')}
                            onChange={setText}
                        />
                    )}
                    <TextField
                        label={t('description')}
                        maxLength={500}
                        value={description}
                        problem={problem('description')}
                        onChange={setDescription}
                    />
                </>
            )}
        </FormDialog>
    );
}
