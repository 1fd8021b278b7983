/* What a node type is for: its pins, its limits, examples, and what to do when something is wrong. */
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { call, type Schemas } from '@/lib/api/client';
import { Failure, Loading } from '@/ui/layout';
import { useNodeTexts } from './catalog-texts';
import css from './editor.module.css';
import { useSpoken, type Speak } from './field-texts';

type Document = Schemas['NodeDocumentation'];

export function Documentation({ type }: { type: string }) {
    const doc = useQuery({
        queryKey: ['catalog', 'documentation', type],
        queryFn: ({ signal }) =>
            call<Document>('GET', `/api/v1/catalog/documentation/${type}`, undefined, signal),
        staleTime: Infinity,
    });
    const fields = useSpoken('fields');
    const speak = useSpoken('documentation');
    if (doc.isError) return <Failure error={doc.error} />;
    if (doc.isPending || fields === undefined || speak === undefined) return <Loading />;
    return <Written doc={doc.data} speak={speak} fields={fields} />;
}

function Written({ doc, speak, fields }: { doc: Document; speak: Speak; fields: Speak }) {
    const { t } = useTranslation('editor');
    const texts = useNodeTexts();
    return (
        <div className={css.documentation}>
            <h3>{texts.name(doc.type, doc.name)}</h3>
            <p>{texts.description(doc.type, doc.description)}</p>
            <p>{speak(doc.purpose)}</p>
            <Pins title={t('docs.inputs')} pins={doc.inputs} fields={fields} />
            <Pins title={t('docs.outputs')} pins={doc.outputs} fields={fields} />
            <List title={t('docs.requirements')} lines={doc.requirements} speak={speak} />
            <List title={t('docs.limitations')} lines={doc.limitations} speak={speak} />
            <List title={t('docs.advice')} lines={doc.bestPractices} speak={speak} />
            {doc.usageExamples.map((example) => (
                <details key={example.title}>
                    <summary>{t('docs.example', { title: speak(example.title) })}</summary>
                    {example.description != null && <p className="muted">{speak(example.description)}</p>}
                    <Json label={t('docs.given')} value={example.configuration} />
                    <p>{t('docs.gives')}</p>
                    <Json label={t('docs.gives')} value={example.expectedOutput} />
                </details>
            ))}
            {doc.troubleshooting.length > 0 && (
                <Part title={t('docs.troubles')}>
                    <dl>
                        {doc.troubleshooting.map(({ issue, description, solution }) => (
                            <div key={issue}>
                                {/* What a node says itself is quoted as it says it: in English. */}
                                <dt lang={speak(issue) === issue ? 'en' : undefined}>{speak(issue)}</dt>
                                <dd className="muted">
                                    {speak(description)} {speak(solution)}
                                </dd>
                            </div>
                        ))}
                    </dl>
                </Part>
            )}
        </div>
    );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
    return (
        <section>
            <h4>{title}</h4>
            {children}
        </section>
    );
}

function Pins({ title, pins, fields }: { title: string; pins: Document['inputs']; fields: Speak }) {
    return pins.length === 0 ? null : (
        <Part title={title}>
            <dl>
                {pins.map((pin) => (
                    <div key={pin.name}>
                        <dt className="mono">
                            {pin.name}: {pin.type}
                        </dt>
                        <dd className="muted">{fields(pin.description ?? '')}</dd>
                    </div>
                ))}
            </dl>
        </Part>
    );
}

function List({ title, lines, speak }: { title: string; lines: string[]; speak: Speak }) {
    return lines.length === 0 ? null : (
        <Part title={title}>
            <ul>
                {lines.map((line) => (
                    <li key={line}>{speak(line)}</li>
                ))}
            </ul>
        </Part>
    );
}

function Json({ label, value }: { label: string; value: unknown }) {
    return (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reached by keyboard
        <pre className={css.sample} role="region" aria-label={label} tabIndex={0}>
            {JSON.stringify(value, null, 2)}
        </pre>
    );
}
