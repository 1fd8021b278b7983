import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import { Compass, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Button, LinkButton } from '@/ui/button';
import { EmptyState, useTitle } from '@/ui/layout';

export function NotFound() {
    const { t } = useTranslation();
    useTitle(t('errors.notFound'));
    return (
        <EmptyState
            icon={Compass}
            top
            title={t('errors.notFound')}
            actions={
                <LinkButton to="/" variant="primary">
                    {t('errors.home')}
                </LinkButton>
            }
        >
            {t('errors.notFoundHelp')}
        </EmptyState>
    );
}

/** Without the frame, which would be the main part otherwise. */
export function NotFoundAnywhere() {
    return (
        <main>
            <NotFound />
        </main>
    );
}

export function PageFailed({ error, reset }: ErrorComponentProps) {
    const { t } = useTranslation();
    const router = useRouter();
    // After an update of the service the chunks have other names.
    const text = error instanceof Error ? error.message : String(error);
    const stale = /dynamically imported module|Importing a module/.test(text);
    return (
        <div role="alert">
            <EmptyState
                icon={TriangleAlert}
                title={t('errors.page')}
                actions={
                    <>
                        {!stale && (
                            <Button
                                variant="primary"
                                onClick={() => {
                                    reset();
                                    void router.invalidate();
                                }}
                            >
                                {t('actions.retry')}
                            </Button>
                        )}
                        <Button
                            onClick={() => {
                                window.location.reload();
                            }}
                        >
                            {t('errors.reload')}
                        </Button>
                    </>
                }
            >
                {t('errors.pageHelp')}
            </EmptyState>
            <details className="muted">
                <summary>{t('errors.details')}</summary>
                <pre>{text}</pre>
            </details>
        </div>
    );
}
