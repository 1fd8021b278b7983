/* Under a field with an expression: what it gives on the last run's data. */
import { useContext, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Said } from '@/lib/said/said';
import css from './editor.module.css';
import { PlaceContext, useEvaluation } from './knowledge';

const PACE_MS = 350;
const CHARS = 600;

/** Expressions that are typed come to rest before they are asked about. */
function useRested(text: string): string {
    const [rested, setRested] = useState(text);
    useEffect(() => {
        const timer = window.setTimeout(() => {
            setRested(text);
        }, PACE_MS);
        return () => {
            window.clearTimeout(timer);
        };
    }, [text]);
    return rested;
}

export function Preview({ text }: { text: string }) {
    const { t } = useTranslation('editor');
    const place = useContext(PlaceContext);
    const { data, isError, error } = useEvaluation(useRested(text));
    if (place === null) return null;
    const problem = isError ? error.message : data?.error;
    const value =
        data?.type === 'undefined'
            ? t('preview.undefined')
            : typeof data?.value === 'string'
              ? data.value
              : JSON.stringify(data?.value);
    return (
        <div className={css.preview} role="status" data-bad={problem !== undefined || undefined}>
            {problem !== undefined ? (
                <Said>{problem}</Said>
            ) : data === undefined ? (
                <span className="muted">{t('preview.asking')}</span>
            ) : (
                <>
                    <span className="muted">
                        {data.type} {place.execution === undefined ? t('preview.noRun') : ''}
                    </span>
                    <code>
                        {value === undefined || value.length <= CHARS ? value : `${value.slice(0, CHARS)}…`}
                    </code>
                </>
            )}
        </div>
    );
}
