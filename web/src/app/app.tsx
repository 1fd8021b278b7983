import { CSPProvider } from '@base-ui/react/csp-provider';
import { Tooltip } from '@base-ui/react/tooltip';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { startSession, useSession } from '@/lib/auth/session';
import { Loading, Notice } from '@/ui/layout';
import { Toasts } from '@/ui/toast';
import { Mark } from './mark';
import { queries } from './queries';
import { router } from './router';

const Login = lazy(async () => ({ default: (await import('./login')).Login }));

export function App() {
    return (
        <CSPProvider disableStyleElements>
            <QueryClientProvider client={queries}>
                <Tooltip.Provider>
                    <Suspense fallback={<Loading />}>
                        <Gate />
                    </Suspense>
                    <Toasts />
                </Tooltip.Provider>
            </QueryClientProvider>
        </CSPProvider>
    );
}

/** As index.html begins. */
function Start() {
    return (
        <div className="start" aria-hidden>
            <div className="start-side">
                <Mark />
                <span>Caudal</span>
            </div>
        </div>
    );
}

/** A login, where the service wants one. */
function Gate() {
    const { t } = useTranslation();
    const state = useSession((s) => s.state);
    const [failures, setFailures] = useState(0);
    useEffect(() => {
        if (state !== 'unknown') return undefined;
        let timer: number | undefined;
        let gone = false;
        startSession().catch(() => {
            if (!gone)
                timer = window.setTimeout(() => {
                    setFailures((n) => n + 1);
                }, 1500);
        });
        return () => {
            gone = true;
            window.clearTimeout(timer);
        };
    }, [state, failures]);
    useEffect(() => {
        // What one person saw is not shown to the next.
        if (state === 'out') queries.clear();
    }, [state]);
    if (state === 'unknown')
        return (
            <main>
                <h1 className="visually-hidden">Caudal</h1>
                {failures > 0 ? <Notice tone="warn">{t('errors.unreachable')}</Notice> : <Start />}
            </main>
        );
    return state === 'out' ? <Login /> : <RouterProvider router={router} />;
}
